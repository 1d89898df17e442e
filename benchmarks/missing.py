"""Missing samples: what leaving them out costs beside a plain convolution, and astropy's time.

    python benchmarks/missing.py [--threads 1] [--seconds 1] [--only REGEX]

Random kernels, which no method but the direct one computes, and Gaussians, which are separable. All
calls of a row take turns; results are compared with astropy's first, where it is installed.
"""

import argparse
import math
import re

import numpy as np

from pyconvc import ndimage, signal
from pyconvc._cli.bench.machine import describe, threads
from pyconvc._cli.bench.measure import difference, take_turns
from pyconvc._cli.console import show_table

try:
    import astropy.convolution as astropy
except ImportError:
    astropy = None

SHARES = (0, 0.01, 0.1)  # of the samples that are missing
SHAPES = {
    "2-D 1024^2, 3^2": ((1024, 1024), 3),
    "2-D 1024^2, 9^2": ((1024, 1024), 9),
    "3-D 96^3, 3^3": ((96, 96, 96), 3),
    "3-D 96^3, 5^3": ((96, 96, 96), 5),
}


def kernel_of(kind, taps, rank):
    if kind == "random":
        return np.random.default_rng(1).random((taps,) * rank) + 0.1
    row = np.exp(-0.5 * (np.arange(taps) - taps // 2) ** 2 / (taps / 8) ** 2)
    return math.prod(np.ix_(*[row / row.sum()] * rank))


def cases():
    """(name, image, kernel) of every row."""
    for kind in ("random", "gaussian"):
        for name, (shape, taps) in SHAPES.items():
            for dtype in (np.float32, np.float64):
                for share in SHARES:
                    rng = np.random.default_rng(0)
                    x = rng.random(shape).astype(dtype)
                    x[rng.random(shape) < share] = np.nan
                    w = kernel_of(kind, taps, x.ndim).astype(dtype)
                    title = f"{kind} {name} {np.dtype(dtype).name} {share:.0%}"
                    yield title, x, w / w.sum()


def row(name, x, w, seconds):
    """Times, ratios, and the difference from astropy's result."""
    full = np.nan_to_num(x)
    calls = {
        "plain": lambda: signal.convolve(full, w, "same"),
        "omit": lambda: signal.convolve(x, w, "same", nan_policy="omit"),
        "ndimage": lambda: ndimage.convolve(x, w, mode="constant", nan_policy="omit"),
    }
    error = math.nan
    if astropy:
        calls["astropy"] = lambda: astropy.convolve(x, w, boundary="fill")
        error = difference(calls["omit"](), calls["astropy"]())
    best = take_turns(calls, seconds)
    cells = [name, *(f"{best[n] * 1e3:.2f}" for n in calls)]
    cells.append(f"{best['omit'] / best['plain']:.2f}")
    if astropy:
        cells += [f"{best['astropy'] / best['omit']:.1f}", f"{error:.0e}"]
    return cells


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1.0, help="for each row")
    parser.add_argument("--only", default="", help="regular expression on the row's name")
    arguments = parser.parse_args()
    head = ["missing", "plain ms", "omit ms", "ndimage ms"]
    head += (
        ["astropy ms", "omit / plain", "astropy / omit", "error"] if astropy else ["omit / plain"]
    )
    with threads(arguments.threads):
        rows = [
            row(name, x, w, arguments.seconds)
            for name, x, w in cases()
            if re.search(arguments.only, name)
        ]
    show_table(f"{describe()}, threads: {arguments.threads}", head, rows)


if __name__ == "__main__":
    main()
