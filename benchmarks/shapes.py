"""Benchmark cases of random shapes, the same for the same seed."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from pyconvc._cli.bench.case import Case
from pyconvc._cli.bench.conv import OPERATIONS, ConvCase
from pyconvc._cli.bench.signal import SignalCase

SIGNAL_WORK = 1e5, 1e10  # multiply-adds of the sum as it is defined
LAYER_WORK = 1e5, 1e9
MOST_SAMPLES = 1 << 23
DTYPES = ("float32",) * 3 + ("float64",)


def signals(count: int, seed: int) -> Iterator[Case]:
    """Filters of one to three dimensions."""
    return _some(_signal, count, np.random.default_rng(seed))


def layers(count: int, seed: int) -> Iterator[Case]:
    """Layers, gradients and transposed layers of one to three dimensions."""
    return _some(_layer, count, np.random.default_rng(seed))


def _some(make, count, rng):
    found = 0
    while found < count:
        if case := make(rng):
            found += 1
            yield case


def _between(rng, least, most):
    """An integer, its logarithm evenly distributed."""
    return round(math.exp(rng.uniform(math.log(least), math.log(most))))


def _signal(rng):
    rank = rng.choice((1, 2, 2, 3))
    most, taps = {1: (1e6, 1e5), 2: (3000, 300), 3: (150, 40)}[rank]
    x = tuple(_between(rng, 8, most) for _ in range(rank))
    h = tuple(_between(rng, 1, min(n, taps)) for n in x)
    work = math.prod(x) * math.prod(h)
    if not SIGNAL_WORK[0] <= work <= SIGNAL_WORK[1]:
        return None
    mode, dtype = rng.choice(("same", "full", "valid")), str(rng.choice(DTYPES))
    separable = bool(rank > 1 and rng.random() < 0.4)
    name = f"{_by(x)} x {_by(h)} {mode} {dtype}{' separable' if separable else ''}"
    return SignalCase(name, x, h, dtype, mode=str(mode), separable=separable)


def _layer(rng):
    rank = rng.choice((1, 2, 2, 2, 3))
    groups = _between(rng, 1, 64) if rng.random() < 0.3 else 1
    each = _between(rng, 1, 512 / groups)
    filters = _between(rng, 1, 512 / groups)
    taps = (int(rng.choice((1, 3, 3, 5, 7, 9))),) * rank
    size = (_between(rng, 4, {1: 20_000, 2: 256, 3: 48}[rank]),) * rank
    stride = int(rng.choice((1, 1, 1, 2)))
    dilation = int(rng.choice((1, 1, 1, 2))) if stride == 1 else 1
    numbers = {"stride": stride, "padding": dilation * (taps[0] // 2), "dilation": dilation}
    op, dtype = str(rng.choice((*OPERATIONS, "forward"))), str(rng.choice(DTYPES))
    x = (1, groups * (filters if op == "transposed" else each), *size)
    w = groups * filters, each, *taps
    words = [f"{_by(w)} @{_by(size)}", *(f"{k} {v}" for k, v in numbers.items() if v != 1)]
    words += [f"groups {groups}"] * (groups > 1) + [dtype, op]
    case = ConvCase(" ".join(words), x, w, op, groups=groups, dtype=dtype, **numbers)
    samples = sum(math.prod(s) for s in (case.layer.x_shape, w, case.layer.y_shape))
    fits = LAYER_WORK[0] <= case.layer.multiply_adds <= LAYER_WORK[1]
    return case if fits and samples <= MOST_SAMPLES else None


def _by(shape):
    return "x".join(map(str, shape))
