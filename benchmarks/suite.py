"""pytest-benchmark over the cases of one family, every library that can do the work."""

from __future__ import annotations

import pytest

from pyconvc._cli.bench.case import Case
from pyconvc._cli.bench.families import CASES
from pyconvc._cli.bench.machine import threads
from pyconvc._cli.bench.measure import difference


def family(name: str) -> list:
    """Parameters (case, library) for each library that has a call for each case of the family."""
    return [
        pytest.param(case, library, id=f"{case.name}-{library}")
        for case in CASES
        if case.family == name
        for library in case.libraries()
    ]


def run(benchmark, case: Case, library: str, count: int) -> None:
    """Check the library's result against ours, then time it with `count` threads."""
    benchmark.group = f"{case.name}, threads: {count}"
    with threads(count):
        calls = case.calls()
        assert difference(calls[library](), calls["pyconvc"]()) <= case.tolerance
        benchmark(calls[library])
