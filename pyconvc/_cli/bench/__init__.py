"""Time pyconvc beside the peers that are installed, on the same inputs, turn by turn.

Each row shows our time, then for every peer its time divided by ours: 2.00 means the peer takes
twice as long, and below 1 (marked) it is faster than we are. Our result is compared with each
peer's first: one that differs by more than the row's tolerance is marked WRONG. Peers keep their
own limits: scipy's and NumPy's direct methods use one thread whatever --threads says.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Sequence
from pathlib import Path

from pyconvc._cli.bench import families, machine, measure
from pyconvc._cli.bench.case import PEERS, Case
from pyconvc._cli.console import UsageError, progress, show_table

HELP = "time pyconvc beside its peers"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--only", default="", metavar="REGEX", help="rows whose 'family name' matches")
    add("--threads", type=int, help="for us and every peer that takes it; default: see info")
    add("--seconds", type=float, default=0.5, help="spent on a row, about (default 0.5)")
    add("--against", metavar="A,B", help=f"of {', '.join(PEERS)}; default: those installed")
    add("--cases", type=Path, metavar="FILE", help="rows of a JSON file in place of our own")
    add("--json", type=Path, metavar="FILE", help="write machine and rows there")


def run(arguments: argparse.Namespace) -> None:
    against = _peers(arguments.against)
    report(matching(_cases(arguments.cases), arguments.only), against, arguments)


def report(cases: Sequence[Case], against: Sequence[str], options: argparse.Namespace) -> None:
    """Time the cases with the threads and seconds of the options; print, and write their json."""
    rows = []
    with machine.threads(options.threads) as count, progress("bench", len(cases)) as advance:
        for case in cases:
            rows.append(measure.one(case, against, options.seconds))
            advance()
        title = f"{machine.describe()}, threads: {count}"
    show_table(f"{title}\nOur time, and each peer's divided by it", *table(rows))
    if options.json:
        written = {"machine": title, "threads": count, "rows": [row._asdict() for row in rows]}
        _write(options.json, json.dumps(written, indent=1))


def table(rows: list[measure.Row]) -> tuple[list[str], list[list[str]]]:
    """Head and text of the ratio table; ``*`` before a cell marks a loss or a wrong result."""
    peers = [peer for peer in PEERS if any(peer in row.seconds for row in rows)]
    head = ["case", "pyconvc", *peers]
    return head, [[row.name, _time(row), *(_ratio(row, peer) for peer in peers)] for row in rows]


def _time(row: measure.Row) -> str:
    text = f"{row.seconds['pyconvc'] * 1e3:.3g} ms"
    return text if row.right else f"*{text} WRONG {row.error:.0e} {row.furthest}"


def _ratio(row: measure.Row, peer: str) -> str:
    if peer not in row.seconds:
        return ""
    ratio = row.seconds[peer] / row.seconds["pyconvc"]
    return f"{'*' if ratio < 1 else ''}{ratio:.{2 if ratio < 10 else 0}f}"


def _peers(text: str | None) -> tuple[str, ...]:
    names = tuple(PEERS) if text is None else tuple(text.split(","))
    for name in names:
        if name not in PEERS:
            raise UsageError(f"--against {name}: wants some of {', '.join(PEERS)}")
        if text is not None and PEERS[name]() is None:
            raise UsageError(f"--against {name}: not installed")
    return names


def _cases(path: Path | None) -> tuple[Case, ...]:
    try:
        return families.read(path) if path else families.CASES
    except OSError as error:
        raise UsageError(f"--cases {path}: {error.strerror}") from error
    except (ValueError, TypeError, KeyError) as error:
        raise UsageError(f"--cases {path}: {type(error).__name__}: {error}") from error


def matching(cases: Sequence[Case], only: str) -> list[Case]:
    """Those of which "family name" has a match; a mistake if there is none."""
    try:
        pattern = re.compile(only)
    except re.error as error:
        raise UsageError(f"--only {only!r}: {error}") from error
    found = [case for case in cases if pattern.search(f"{case.family} {case.name}")]
    if not found:
        raise UsageError(f"--only {only!r}: matches no row")
    return found


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text + "\n")
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from error
