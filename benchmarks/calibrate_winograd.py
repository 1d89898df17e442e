"""Measure what the chooser's cost model of Winograd's method needs, and print it as Python source.

    python benchmarks/calibrate_winograd.py

Layers of many sizes are timed on one worker, with weights transformed beforehand and at the call,
and the costs that explain the times best are found by least squares of relative errors. Costs are
in multiply-adds of the direct method at the rate of `pyconvc._choose`: measure that first. Left out
is where memory and not the processor sets the time. Paste the result into `pyconvc/_winograd.py`.
"""

import time

import numpy as np
from scipy.optimize import nnls

from pyconvc import _choose, _core, _winograd
from pyconvc.nn import _geometry

# Channels in and out, size of the image.
LAYERS = [(3, 64, 112), (64, 3, 112), (16, 16, 56), (64, 64, 28), (64, 64, 56), (32, 128, 56)]
LAYERS += [(128, 32, 56), (128, 128, 28), (256, 64, 28), (64, 256, 28), (32, 32, 14), (64, 64, 14)]
LAYERS += [(128, 128, 14), (256, 256, 14), (256, 512, 14), (256, 256, 10), (512, 512, 7)]
SECONDS = 0.4  # for each


def best(call):
    """Seconds of this thread, so that what else runs here counts less."""
    least, end = np.inf, time.perf_counter() + SECONDS
    call()
    while time.perf_counter() < end:
        start = time.thread_time()
        call()
        least = min(least, time.thread_time() - start)
    return least


def times(x, w, y, tile):
    """Seconds of a call with weights transformed beforehand, and of one that does it all."""
    numbers = {"pad_before": (1, 1), "winograd": tile}
    plan = _core.Plan(x, w, y, **numbers)
    yield True, best(lambda: plan.run(x, y))
    yield False, best(lambda: _core.correlate(x, w, y, channels=True, **numbers))


def main():
    rate = _choose.DIRECT_RATE[_core.isa()]["f4"]
    counts, measured = [], []
    for inputs, outputs, size in LAYERS:
        x, y = np.ones((1, inputs, size, size), "f4"), np.empty((1, outputs, size, size), "f4")
        w = np.ones((outputs, inputs, 3, 3), "f4")
        p = _geometry.forward(x.shape, w.shape, 1, 1, 1, 1, "zeros")
        for tile in _winograd.TILES:
            for packed, seconds in times(x, w, y, tile):
                numbers = _winograd.counts(p, tile, packed=packed)
                if numbers[-1] > _winograd.CACHED:
                    continue
                counts.append(numbers)
                measured.append(1e9 * seconds * rate)
    relative = np.array(counts) / np.array(measured)[:, None]
    costs, _ = nnls(relative, np.ones(len(measured)))
    print("COSTS =", ", ".join(f"{cost:.2g}" for cost in costs))
    errors = relative @ costs
    print(f"# estimates are {errors.min():.2f} to {errors.max():.2f} of the measured times")


if __name__ == "__main__":
    main()
