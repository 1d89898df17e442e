"""Times of the same work by several libraries, each seeing the same state of the machine."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from pyconvc._cli.bench.case import Call, Case

SHORTEST = 1e-4  # seconds: quicker calls are timed several at a time
LEAST_TURNS = 3


class Row(NamedTuple):
    """Best seconds by library, and how far our result is from that of the furthest peer."""

    family: str
    name: str
    seconds: dict[str, float]
    error: float
    right: bool
    furthest: str = ""


def one(case: Case, against: Iterable[str], seconds: float) -> Row:
    """Check our result against every peer's, then time all of them."""
    calls = {k: call for k, call in case.calls().items() if k in ("pyconvc", *against)}
    ours = calls["pyconvc"]()
    peers = (name for name in calls if name != "pyconvc")
    errors = {name: difference(ours, calls[name]()) for name in peers}
    furthest = max(errors, key=errors.get, default="")
    error = errors.get(furthest, 0.0)
    best = take_turns(calls, seconds)
    return Row(case.family, case.name, best, error, error <= case.tolerance, furthest)


def difference(result: np.ndarray, reference: np.ndarray) -> float:
    """Largest difference over the largest magnitude of the reference; inf if shapes differ."""
    if result.shape != reference.shape:
        return math.inf
    wide = np.result_type(reference.dtype, np.float64)
    scale = _largest(reference) or 1.0
    return _largest(np.subtract(result, reference, dtype=wide)) / scale


def _largest(a: np.ndarray) -> float:
    """Largest magnitude."""
    if a.dtype.kind == "c":
        return float(np.abs(a).max(initial=0))
    return float(max(float(a.max(initial=0)), -float(a.min(initial=0))))


def take_turns(calls: dict[str, Call], seconds: float) -> dict[str, float]:
    """Best time of each call; the calls take turns until `seconds` are spent on them in all.

    The first turn, in which code is loaded and threads start, counts only for calls that alone take
    longer than `seconds`: those are not repeated.
    """
    first = {name: _time(call, 1) for name, call in calls.items()}
    best = {name: once if once > seconds else math.inf for name, once in first.items()}
    quick = {name: call for name, call in calls.items() if first[name] <= seconds}
    repeats = {name: max(1, math.ceil(SHORTEST / _time(call, 1))) for name, call in quick.items()}
    spent, turns = 0.0, 0
    while quick and (turns < LEAST_TURNS or spent < seconds):
        for name, call in quick.items():
            elapsed = _time(call, repeats[name])
            best[name] = min(best[name], elapsed / repeats[name])
            spent += elapsed
        turns += 1
    return best


def _time(call: Call, repeats: int) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return time.perf_counter() - start
