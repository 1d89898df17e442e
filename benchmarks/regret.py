"""How good the choice of a method is: the time of what is chosen over that of the best.

    python benchmarks/regret.py [CASES.json] [--random 40] [--seed 0] [--only REGEX] [--seconds 0.2]

All methods that apply take turns on the same inputs, one thread each. Rows are the benchmark's own
cases or those of a file (as `python -m pyconvc bench --cases` reads it), and random shapes; the
largest regret comes first. Rows for which there is one method are left out.
"""

from __future__ import annotations

import argparse
import functools
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import shapes

import pyconvc
from pyconvc import _choose, _methods, _winograd
from pyconvc._cli.bench import families, machine
from pyconvc._cli.bench.case import Call, Case
from pyconvc._cli.bench.measure import take_turns
from pyconvc._cli.console import show_table
from pyconvc.nn import _matrix, _passes, _prepared, _spectral

HOPELESS = 5  # times the best of the first turns: such methods are not timed on
MEND = 1.15


class Row(NamedTuple):
    """What was chosen, and seconds by method."""

    name: str
    chosen: str
    seconds: dict[str, float]

    @property
    def best(self) -> str:
        return min(self.seconds, key=self.seconds.get)

    @property
    def regret(self) -> float:
        return self.seconds[self.chosen] / self.seconds[self.best]


def weigh(case: Case, seconds: float) -> Row | None:
    """A row, where the case has a choice."""
    chosen, calls = alternatives(case)
    if len(calls) < 2:
        return None
    first = take_turns(calls, 0.0)
    hope = {name: calls[name] for name in calls if first[name] < HOPELESS * min(first.values())}
    times = take_turns({chosen: calls[chosen], **hope}, seconds)
    return Row(f"{case.family} {case.name}", chosen, times)


def alternatives(case: Case) -> tuple[str, dict[str, Call]]:
    """The method chosen, and a call for each that applies; nothing where there is no choice."""
    return {"signal": signal, "conv": layer}.get(case.family, lambda case: ("", {}))(case)


def signal(case: Case) -> tuple[str, dict[str, Call]]:
    """The method chosen for a filter, and all that apply."""
    x, h = case.arrays()
    name = case.call.removesuffix("2d")
    options = {"mode": case.mode} | ({"boundary": case.boundary} if case.boundary else {})
    call = functools.partial(getattr(pyconvc.signal, name), x, h, **options)
    chosen = pyconvc.signal.choose(x, h, correlation=name == "correlate", **options).method
    names = ["direct", "fft"] if h.dtype.kind in "fc" or chosen == "fft" else ["direct"]
    if _methods.factors(h, range(h.ndim)) is not None:
        names.append("separable")
    return chosen, {name: functools.partial(call, method=name) for name in names}


def layer(case: Case) -> tuple[str, dict[str, Call]]:
    """The method chosen for a layer or the gradient of its input, and all that apply."""
    if case.op == "weight_grad":
        return "", {}
    x, w, y = case.arrays()
    p, adjoint = case.layer, case.op in ("input_grad", "transposed")
    runs = dict((_adjoints if adjoint else _planned if case.plan else _forwards)(p, w))
    calls = {
        name: functools.partial(run, p, *((y, w, None, x) if adjoint else (x, w, None, y)))
        for name, run in runs.items()
    }
    options = {"flip": False, "workers": 1}
    calls = {name: functools.partial(call, **options) for name, call in calls.items()}
    return _chosen(case, w.dtype), calls


def _chosen(case, dtype):
    if case.op != "forward":
        tile = _choose.adjoint_tile(case.layer, dtype)
        return f"winograd {tile}" if tile else "direct"
    choice = _choose.layer(case.layer, dtype, packed=case.plan)
    return f"{choice.method} {choice.tile}" if choice.tile else choice.method


def _tiles(p, dtype, adjoint=False):
    """Tiles of Winograd's method, by name."""
    if _winograd.obstacle(p, dtype, adjoint=adjoint):
        return {}
    sizes = _winograd.tiles_of(p, adjoint=adjoint)
    return {f"winograd {tile}": tile for tile in sizes}


def _forwards(p, w):
    for name, tile in {"direct": 0, **_tiles(p, w.dtype)}.items():
        yield name, functools.partial(_passes.correlate, winograd=tile)
    if w.dtype.char in _choose.BLAS_DTYPES:
        yield "gemm", _matrix.correlate
        yield "fft", _spectral.correlate


def _adjoints(p, w):
    for name, tile in {"direct": 0, **_tiles(p, w.dtype, adjoint=True)}.items():
        yield name, functools.partial(_passes.input_grad, winograd=tile)


def _planned(p, w):
    for name, tile in {"direct": 0, **_tiles(p, w.dtype)}.items():
        yield name, _prepared.Direct(p, w, False, tile, 1)
    if w.dtype.char in _choose.BLAS_DTYPES:
        yield "gemm", _prepared.Gemm(p, w, False)
        yield "fft", _prepared.Fft(p, w, False, safe_only=False)


def rows(cases: Iterator[Case], only: str, seconds: float) -> list[Row]:
    """Rows of the cases whose family and name match, the largest regret first."""
    found = (case for case in cases if re.search(only, f"{case.family} {case.name}"))
    weighed = [row for case in found if (row := weigh(case, seconds))]
    return sorted(weighed, key=lambda row: -row.regret)


def summary(weighed: list[Row]) -> str:
    """One line on all of them."""
    regrets = np.array([row.regret for row in weighed] or [1.0])
    return (
        f"{len(weighed)} rows with a choice: geometric mean {math.exp(np.log(regrets).mean()):.3f},"
        f" largest {regrets.max():.2f}, {np.mean(regrets > MEND):.0%} above {MEND}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("cases", nargs="?", type=Path)
    parser.add_argument("--random", type=int, default=40, help="shapes of each family")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", metavar="REGEX")
    parser.add_argument("--seconds", type=float, default=0.2, help="spent on a row, about")
    options = parser.parse_args()
    cases = families.read(options.cases) if options.cases else families.CASES
    some = options.random, options.seed
    with machine.threads(1):
        everything = (*cases, *shapes.signals(*some), *shapes.layers(*some))
        weighed = rows(everything, options.only, options.seconds)
    table = [
        [
            row.name,
            f"{'*' if row.regret > MEND else ''}{row.regret:.2f}",
            row.chosen,
            ", ".join(f"{name} {1e3 * s:.3g}" for name, s in row.seconds.items()),
        ]
        for row in weighed
    ]
    head = ["case", "regret", "chosen", "ms"]
    show_table(f"{machine.describe()}\n{summary(weighed)}", head, table)


if __name__ == "__main__":
    main()
