"""Measure what the chooser's cost models of layers need, and print it as Python source.

    python benchmarks/calibrate_layers.py

Layers of many sizes are timed on one worker by each method, and the costs that explain the times
best are found by least squares of relative errors. The rates of `pyconvc._choose` and what the
transforms cost by `pyconvc._fft._costs` count as known: measure them first. Paste the result into
`pyconvc/_choose.py`. `calibrate_winograd.py` does the same for Winograd's method.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import regret
from scipy.optimize import nnls

from pyconvc import _choose
from pyconvc._cli.bench.conv import ConvCase
from pyconvc._cli.bench.machine import threads
from pyconvc._cli.bench.measure import take_turns

SECONDS = 0.3  # for each layer


def square(inputs, outputs, taps, size, groups=1, **more):
    """A layer of a square image, padded to keep its size."""
    x, w = (1, inputs, size, size), (outputs, inputs // groups, taps, taps)
    return ConvCase("", x, w, padding=taps // 2, groups=groups, **more)


PACKED = [square(256, 256, 3, 14), square(512, 512, 3, 7), square(1024, 256, 1, 7)]
PACKED += [square(64, 512, 3, 14), square(256, 256, 5, 7)]
PRODUCTS = [square(64, 256, 1, 56), square(512, 128, 1, 28), square(2048, 512, 1, 7)]
PRODUCTS += [square(64, 64, 3, 56), square(256, 256, 3, 14), square(512, 512, 3, 7)]
PRODUCTS += [square(32, 32, 5, 28), square(128, 128, 3, 56, stride=2), square(3, 64, 7, 112)]
PRODUCTS += [square(16, 16, 3, 16), square(64, 64, 1, 8), square(64, 64, 3, 28, groups=4)]
FEW_FILTERS = [square(64, outputs, 3, 28) for outputs in (1, 2, 4, 8, 16, 32)]
SPECTRA = [square(8, 8, 31, 128, groups=8), square(64, 64, 25, 56, groups=64)]
SPECTRA += [square(4, 4, 31, 96), square(8, 16, 21, 64), square(1, 1, 41, 200)]
SPECTRA += [square(32, 32, 21, 56), square(64, 64, 15, 28)]
SPECTRA += [square(16, 16, 15, 160), ConvCase("", (1, 32, 8000), (32, 32, 101))]
SPECTRA += [ConvCase("", (1, 8, 8000), (8, 8, 201)), ConvCase("", (1, 1, 30_000), (4, 1, 801))]


def nanoseconds(case, *methods):
    """Best times of some methods, turn by turn."""
    calls = regret.layer(case)[1]
    return [1e9 * s for s in take_turns({m: calls[m] for m in methods}, SECONDS).values()]


def fit(counts, measured):
    """Costs, and how far estimates are from the measured times."""
    relative = np.array(counts) / np.array(measured)[:, None]
    costs, _ = nnls(relative, np.ones(len(measured)))
    return costs, relative @ costs


def packing():
    """Nanoseconds for each weight, of a call over those of a plan."""
    packing, weights = 0.0, 0
    for case in PACKED:
        x, w, y = case.arrays()
        plan = regret._prepared.Direct(case.layer, w, False, 0, 1)
        call = regret._passes.correlate
        arguments, options = (case.layer, x, w, None, y), {"flip": False, "workers": 1}
        calls = [functools.partial(run, *arguments, **options) for run in (plan, call)]
        packed, all_of_it = take_turns(dict(enumerate(calls)), SECONDS).values()
        packing += 1e9 * (all_of_it - packed)
        weights += w.size
    return max(0.0, packing / weights)


def products():
    """GEMM_COSTS, FULL_FILTERS and the estimates' errors."""
    cases = PRODUCTS + FEW_FILTERS
    measured = [nanoseconds(case, "gemm")[0] for case in cases]
    layers = [case.layer for case in cases]
    left = [
        ns - _choose.SAMPLE_NS * math.prod(p.y_shape)
        for ns, p in zip(measured, layers, strict=True)
    ]
    tried = []
    for _choose.FULL_FILTERS in (4, 8, 12, 16, 24, 32):
        counts = [_choose.gemm_counts(p, np.dtype("f4")) for p in layers]
        costs, ratios = fit(counts, left)
        tried.append((np.abs(np.log(ratios)).mean(), _choose.FULL_FILTERS, costs, ratios))
    return min(tried, key=lambda each: each[0])[1:]


def spectra():
    """SPECTRA_COSTS and the estimates' errors, transforms included."""
    measured = np.array([nanoseconds(case, "fft")[0] for case in SPECTRA])
    layers, dtype = [case.layer for case in SPECTRA], np.dtype("f4")
    transforms = [1e9 * regret._spectral.plan(p, dtype).seconds for p in layers]
    counts = [_choose.spectra_counts(p, dtype) for p in layers]
    relative = np.array(counts) / measured[:, None]
    costs, _ = nnls(relative, 1 - transforms / measured)
    return costs, relative @ costs + transforms / measured


def within(ratios):
    return f"# estimates are {ratios.min():.2f} to {ratios.max():.2f} of the measured times"


def source(costs):
    return ", ".join(f"{cost:.2g}" for cost in costs)


def main():
    with threads(1):
        print(f"PACK_NS = {packing():.2g}")
        full, costs, ratios = products()
        print("GEMM_COSTS =", source(costs), within(ratios))
        print("FULL_FILTERS =", full)
        costs, ratios = spectra()
        print("SPECTRA_COSTS =", source(costs), within(ratios))


if __name__ == "__main__":
    main()
