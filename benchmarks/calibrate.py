"""Measure what the chooser's cost model of the direct method needs, and print it as Python source.

    python benchmarks/calibrate.py

For every tier that this processor runs: multiply-adds per nanosecond of one worker, by dtype, in an
11x11 filter; nanoseconds for a pass over a float32 sample with one tap; and what passes of the
separable method cost, from 9x9 and 41x41 filters of float32 and float64. Paste the result into
`pyconvc/_choose.py`. `calibrate_fft.py` does the same for the transforms.
"""

import os
import subprocess
import sys
import timeit

import numpy as np

SIZE, TAPS = 256, 11
DTYPES = ("f4", "f8", "c8", "c16", "i1", "i2", "i4", "i8")


def best(call):
    call()
    return min(timeit.repeat(call, number=1, repeat=15))


def measure():
    from pyconvc import _core

    rates = {}
    for name in DTYPES:
        x, w = np.ones((SIZE, SIZE), name), np.ones((TAPS, TAPS), name)
        y = np.empty_like(x)
        seconds = best(lambda x=x, w=w, y=y: _core.correlate(x, w, y, pad_before=(5, 5)))
        key = name if x.dtype.kind in "fc" else name[1:]
        rates[key] = float(f"{1e-9 * SIZE**2 * TAPS**2 / seconds:.3g}")
    x = np.ones((2048, 2048), "f4")
    y = np.empty_like(x)
    copy = best(lambda: _core.correlate(x, x[:1, :1], y))
    print(repr(rates), f"{1e9 * copy / x.size:.2g}", repr(pass_costs(rates)), sep="\t")


def pass_ns(name, taps):
    """Nanoseconds of the separable method for a sample and axis."""
    from pyconvc import signal

    x, w = (
        np.ones((1024, 1024), name),
        np.multiply.outer(*[np.arange(1, taps + 1).astype(name)] * 2),
    )
    y = np.empty_like(x)
    return 1e9 * best(lambda: signal.convolve(x, w, "same", "separable", out=y)) / (2 * x.size)


def pass_costs(rates):
    """Direct products for a tap, and nanoseconds for a byte of a sample: means over dtypes."""
    found = []
    for name in ("f4", "f8"):
        few, many = pass_ns(name, 9), pass_ns(name, 41)
        tap = (many - few) / (41 - 9)
        found.append((tap * rates[name], (few - 9 * tap) / np.dtype(name).itemsize))
    return tuple(float(f"{sum(costs) / len(costs):.2g}") for costs in zip(*found, strict=True))


def main():
    from pyconvc import isa_available

    print("DIRECT_RATE = {")
    passes = []
    for tier in isa_available():
        environment = {**os.environ, "PYCONVC_ISA": tier}
        command = [sys.executable, __file__, "measure"]
        run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        rates, copy, costs = run.stdout.strip().split("\t")
        print(f'    "{tier}": {rates},')
        passes.append(float(copy))
    print("}")
    print(f"SAMPLE_NS = {min(passes)}")
    print(f"PASS_COSTS = {costs}  # of the last tier")


if __name__ == "__main__":
    measure() if sys.argv[1:] == ["measure"] else main()
