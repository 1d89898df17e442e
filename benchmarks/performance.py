"""Measure everything that docs/performance.rst shows, and write it there as tables.

    python benchmarks/performance.py [--quick] [--output docs/performance] [--seconds 0.3]

One thread, but where threads are what varies; some minutes. `make docs` draws the figures. With
--quick the sweeps are short and the times worthless: to see that the command works.
"""

from __future__ import annotations

import argparse
import csv
import math
import os
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import errors
import limits
import regret
import sweeps

import pyconvc
from pyconvc._cli.bench import families, machine, measure
from pyconvc._cli.bench.case import PEERS, Case
from pyconvc._cli.console import progress

OUTPUT = Path(__file__).parents[1] / "docs" / "performance"
QUICK = {"images": 3, "channels": 4, "taps": 4, "workers": 1}  # numbers of each sweep, or cases


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--seconds", type=float, default=0.3, help="spent on a row, about")
    options = parser.parse_args()
    seconds, workers = 0.0 if options.quick else options.seconds, pyconvc.get_num_threads()
    options.output.mkdir(parents=True, exist_ok=True)

    def write(name: str, head: Iterable[str], rows: Iterable) -> None:
        with (options.output / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows([head, *rows])

    with machine.threads(1):
        rates = limits.limits()
        write("limits", ("limit", "rate"), rates.items())
        write("machine", ("what", "value"), described(rates))
        write("errors", errors.HEAD, errors.table())
        write("tiles", errors.TILES_HEAD, errors.by_channels())
        cases = [case for case in families.CASES if not options.quick or small(case)]
        rows = timed(cases, seconds)
        head = "family", "name", "method", "flops", "bytes", "library", "seconds"
        write("rows", head, long_form(cases, rows))
        write("families", *by_family(rows))
        write("losses", *losses(rows))
        head = "sweep", "number", "line", "seconds"
        write("sweeps", head, swept(seconds, workers, options.quick))


def described(rates: dict[str, float]) -> list[tuple[str, str]]:
    """The machine in words."""
    facts = [
        ("processor", machine.processor()),
        ("processors here", str(os.cpu_count())),
        ("instruction set", pyconvc.isa()),
        ("versions", ", ".join(machine.versions())),
        ("measured", f"{datetime.now(UTC):%Y-%m-%d}"),
    ]
    for name in ("float32", "float64"):
        facts.append((f"{name} multiply-adds", f"{rates[name] / 1e9:.1f} GFLOP/s a core"))
    for name, where in (("memory", "memory"), ("cache", "second-level cache")):
        facts.append((f"read and written, {where}", f"{rates[name] / 1e9:.1f} GB/s a core"))
    return facts


def small(case: Case) -> bool:
    """Whether a case is quick with every library."""
    return case.bytes < 1 << 20 and case.flops < 1e8


def timed(cases: list[Case], seconds: float) -> list[measure.Row]:
    """Times of all libraries."""
    with progress("cases", len(cases)) as advance:
        rows = []
        for case in cases:
            rows.append(measure.one(case, PEERS, seconds))
            advance()
    return rows


def long_form(cases: list[Case], rows: list[measure.Row]) -> Iterable[tuple]:
    """A line for each library."""
    for case, row in zip(cases, rows, strict=True):
        method = regret.alternatives(case)[0] or "direct"
        for library, best in row.seconds.items():
            yield row.family, row.name, method, case.flops, case.bytes, library, f"{best:.4g}"


def ahead(row: measure.Row) -> tuple[float, str]:
    """(time of the fastest peer over ours, its name)."""
    peers = {name: best for name, best in row.seconds.items() if name != "pyconvc"}
    fastest = min(peers, key=peers.get)
    return peers[fastest] / row.seconds["pyconvc"], fastest


def by_family(rows: list[measure.Row]) -> tuple[tuple, list[tuple]]:
    """Head and rows of the summary."""
    found = []
    for family in families.KINDS:
        ratios = [ahead(row)[0] for row in rows if row.family == family and len(row.seconds) > 1]
        if ratios:
            mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
            behind = sum(ratio < 1 for ratio in ratios)
            found.append((family, len(ratios), f"{mean:.2f}", behind, f"{min(ratios):.2f}"))
    return ("family", "rows", "geometric mean", "rows behind", "least"), found


def losses(rows: list[measure.Row]) -> tuple[tuple, list[tuple]]:
    """Head and rows of those where a peer is faster, or we are wrong; the worst first."""
    found = []
    for row in rows:
        ratio, peer = ahead(row) if len(row.seconds) > 1 else (math.inf, "")
        if ratio < 1 or not row.right:
            times = (f"{1e3 * row.seconds[name]:.3g}" for name in ("pyconvc", peer))
            told = f"{ratio:.2f}" if row.right else f"WRONG {row.error:.0e} ({row.furthest})"
            found.append((row.family, row.name, *times, peer, told))
    head = "family", "row", "ours, ms", "fastest peer's, ms", "peer", "peer's time / ours"
    return head, sorted(found, key=lambda line: line[-1])


def swept(seconds: float, workers: int, quick: bool) -> Iterable[tuple]:
    """All sweeps."""
    kept = QUICK if quick else dict.fromkeys(QUICK)
    runs = (
        sweeps.images(seconds, sweeps.IMAGES[: kept["images"]]),
        sweeps.channels(seconds, sweeps.CHANNELS[: kept["channels"]]),
        sweeps.taps(seconds, sweeps.TAPS[: kept["taps"]]),
        sweeps.workers(seconds, sweeps.SCALED[: kept["workers"]], workers),
    )
    with progress("sweeps", len(runs)) as advance:
        for run in runs:
            for sweep, number, line, best in run:
                yield sweep, number, line, f"{best:.4g}"
            advance()


if __name__ == "__main__":
    main()
