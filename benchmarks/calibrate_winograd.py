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

# Channels in and out, sides of the image, taps; the stride.
SQUARES = [(3, 64, 112), (64, 3, 112), (16, 16, 56), (64, 64, 28), (64, 64, 56), (32, 128, 56)]
SQUARES += [(128, 32, 56), (128, 128, 28), (256, 64, 28), (64, 256, 28), (32, 32, 14), (64, 64, 14)]
SQUARES += [(128, 128, 14), (256, 256, 14), (256, 512, 14), (256, 256, 10), (512, 512, 7)]
SQUARES += [(512, 256, 10), (192, 192, 8), (384, 384, 8), (256, 256, 7), (512, 512, 4)]
LAYERS = [(*channels, (size, size), (3, 3)) for *channels, size in SQUARES]
LAYERS += [(48, 64, (35, 35), (5, 5)), (64, 64, (28, 28), (2, 2)), (64, 128, (1, 8000), (1, 2))]
LAYERS += [(64, 128, (1, 3000), (1, 3)), (192, 192, (17, 17), (1, 7)), (192, 192, (17, 17), (7, 1))]
LAYERS = [(*layer, 1) for layer in LAYERS]
LAYERS += [(64, 64, (112, 112), (3, 3), 2), (128, 128, (56, 56), (3, 3), 2)]
LAYERS += [(64, 128, (64, 64), (4, 4), 2), (80, 512, (1, 3000), (1, 3), (1, 2))]
SECONDS = 0.3  # for each


def best(call):
    """Seconds of this thread, so that what else runs here counts less."""
    least, end = np.inf, time.perf_counter() + SECONDS
    call()
    while time.perf_counter() < end:
        start = time.thread_time()
        call()
        least = min(least, time.thread_time() - start)
    return least


def times(x, w, y, p, tile):
    """Seconds of a call with weights transformed beforehand, and of one that does it all."""
    numbers = {"pad_before": p.before, "stride": p.stride, "winograd": tile}
    plan = _core.Plan(x, w, y, **numbers)
    yield True, best(lambda: plan.run(x, y))
    yield False, best(lambda: _core.correlate(x, w, y, channels=True, **numbers))


def main():
    rate = _choose.DIRECT_RATE[_core.isa()]["f4"]
    counts, measured = [], []
    for inputs, outputs, size, taps, stride in LAYERS:
        x, w = np.ones((1, inputs, *size), "f4"), np.ones((outputs, inputs, *taps), "f4")
        padding = "same" if stride == 1 else tuple(n // 2 for n in taps)
        p = _geometry.forward(x.shape, w.shape, stride, padding, 1, 1, "zeros")
        y = np.empty(p.y_shape, "f4")
        for tile in _winograd.tiles_of(p):
            for packed, seconds in times(x, w, y, p, tile):
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
