"""Measure the benchmark cases and rewrite the ratio table between the marks in README.md."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

from pyconvc._cli.bench import machine, measure, table
from pyconvc._cli.bench.case import PEERS
from pyconvc._cli.bench.families import CASES

README = Path(__file__).parents[1] / "README.md"
FAMILIES = "signal", "conv"
BEGIN, END = "<!-- ratio table: make readme-table -->\n", "<!-- end of ratio table -->\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.0, help="spent on a row, about")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    with machine.threads(arguments.threads):
        cases = [case for case in CASES if case.family in FAMILIES]
        rows = [measure.one(case, PEERS, arguments.seconds) for case in cases]
    head, body = table(rows)
    text = "\n".join([caption(arguments.threads), "", *markdown(head, body), ""])
    README.write_text(replaced(README.read_text(encoding="utf-8"), text), encoding="utf-8")
    print(text)


def caption(threads: int) -> str:
    """What was measured, where and when."""
    count = f"{threads} thread{'s' if threads > 1 else ''}"
    return (
        f"Our time, and each peer's time divided by it, {count}; below 1 (bold) it is faster. "
        f"{machine.describe()}; {datetime.now(UTC):%Y-%m-%d}, by `make readme-table`."
    )


def markdown(head: list[str], body: list[list[str]]) -> list[str]:
    """The table as GitHub draws it; a cell marked ``*`` is bold."""
    rows = [[f"**{cell[1:]}**" if cell.startswith("*") else cell for cell in row] for row in body]
    rule = ["---", *("---:" for _ in head[1:])]
    return [f"| {' | '.join(row)} |" for row in (head, rule, *rows)]


def replaced(readme: str, text: str) -> str:
    """The README with `text` between the marks."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise SystemExit(f"{README}: the marks of the ratio table are missing")
    return f"{before}{begin}{text}{end}{after}"


if __name__ == "__main__":
    main()
