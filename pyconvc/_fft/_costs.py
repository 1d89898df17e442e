"""What the transforms of scipy.fft's own backend cost.

Nanoseconds of one thread, printed by ``python benchmarks/calibrate_fft.py``. Only their ratios to
each other and to those of the other methods matter.
"""

import functools

import numpy as np

from .. import _core

# A transform costs each of its real points (complex ones count twice) a base, a share of the line's
# overhead, and a part for each factor of the line's length, in the order of RADICES; transforms of
# real lines take no 8, and are not used with 7 and 11.
RADICES = (8, 4, 2, 3, 5, 7, 11)
LANES = {"f": 4, "d": 2}  # lines that are transformed side by side
SPILL_BYTES = (20, 22, 23, 24, 25)  # log2 of a tile's bytes

# By the highest tier that the processor runs. "pass": product and copies, each point once; "lone":
# a line on its own, over its share of a full group; "spill": slowdown of large tiles; "check":
# looking at a sample whether its transform would be safe (0: not measured); "block" and "part":
# Python's calls for one block, and for one part of the output.
MEASURED = {
    "avx512": {
        "f": {
            "real": (0.376, 12.6, (0, 0.182, 0.105, 0.173, 0.239, 0, 0)),
            "complex": (0.150, 10.4, (0.317, 0.212, 0.124, 0.186, 0.287, 0.361, 0.536)),
            "pass": 0.51,
            "twiddle": 0.11,
            "lone": 2.28,
            "spill": (1.0, 1.02, 1.17, 1.32, 1.52),
            "check": 0,
        },
        "d": {
            "real": (0.089, 28.2, (0, 0.360, 0.215, 0.342, 0.475, 0, 0)),
            "complex": (-0.130, 15.0, (0.589, 0.431, 0.287, 0.362, 0.553, 0.691, 1.046)),
            "pass": 1.24,
            "twiddle": 0.17,
            "lone": 1.53,
            "spill": (1.0, 1.0, 1.0, 1.17, 1.22),
            "check": 0,
        },
        "block": 45e3,
        "part": 59e3,
    },
    "avx2": {
        "f": {
            "real": (0.41, 17.2, (0.0, 0.226, 0.142, 0.218, 0.297, 0.0, 0.0)),
            "complex": (0.116, 17.5, (0.398, 0.26, 0.182, 0.239, 0.367, 0.451, 0.682)),
            "pass": 2.07,
            "twiddle": 0.11,
            "lone": 2.21,
            "spill": (1.0, 1.0, 1.31, 1.93, 1.93),
            "check": 1.19,
        },
        "d": {
            "real": (0.202, 33.6, (0.0, 0.417, 0.26, 0.397, 0.569, 0.0, 0.0)),
            "complex": (-1.022, 44.5, (0.997, 0.732, 0.404, 0.62, 0.874, 1.126, 1.761)),
            "pass": 1.71,
            "twiddle": 0.27,
            "lone": 1.65,
            "spill": (1.0, 1.0, 1.0, 1.3, 1.3),
            "check": 1.77,
        },
        "block": 98000.0,
        "part": 114000.0,
    },
}
MEASURED["avx512vl"] = MEASURED["avx512"]
UNMEASURED = "avx2"  # whose costs a processor takes that is not in the table


class Costs:
    """The constants of one dtype, per sample of it."""

    def __init__(self, char):
        key = char.lower()
        machine = MEASURED.get(_core.isa_available()[-1], MEASURED[UNMEASURED])
        table = machine[key]
        self.real = char in "fd"
        self.itemsize = np.dtype(char).itemsize
        self.lanes, self.lone = LANES[key], table["lone"]
        self.block, self.part = machine["block"], machine["part"]
        self._points = 1 if self.real else 2
        self._first = table["real" if self.real else "complex"]
        self._other = table["complex"]
        self._spill = table["spill"]
        self.passes = self._points * table["pass"]
        self.twiddle = self._points * table["twiddle"]
        self.check = self._points * table["check"]

    def first(self, length):
        """A line along the axis that is transformed first, per sample."""
        return self._points * _line(length, *self._first)

    def other(self, length):
        """A line along any other axis, per sample."""
        return self._points * _line(length, *self._other)

    def spill(self, samples):
        """By how much tiles of so many samples outgrow the cache."""
        return np.interp(np.log2(samples * self.itemsize), SPILL_BYTES, self._spill)


costs_of = functools.cache(Costs)


def _line(length, base, overhead, per_radix):
    cost = base + overhead / length
    for radix, nanoseconds in zip(RADICES, per_radix, strict=True):
        while nanoseconds and length % radix == 0:
            length //= radix
            cost += nanoseconds
    return cost
