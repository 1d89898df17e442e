"""What the transforms of scipy.fft's own backend cost.

Nanoseconds of one thread, printed by ``python benchmarks/calibrate_fft.py``. Only their ratios to
each other and to those of the other methods matter.
"""

import numpy as np

# A transform costs each of its real points (complex ones count twice) a base, a share of the line's
# overhead, and a part for each factor of the line's length, in the order of RADICES; transforms of
# real lines take no 8, and are not used with 7 and 11.
RADICES = (8, 4, 2, 3, 5, 7, 11)
REAL_LINE = {
    "f": (0.376, 12.6, (0, 0.182, 0.105, 0.173, 0.239, 0, 0)),
    "d": (0.089, 28.2, (0, 0.360, 0.215, 0.342, 0.475, 0, 0)),
}
COMPLEX_LINE = {
    "f": (0.150, 10.4, (0.317, 0.212, 0.124, 0.186, 0.287, 0.361, 0.536)),
    "d": (-0.130, 15.0, (0.589, 0.431, 0.287, 0.362, 0.553, 0.691, 1.046)),
}
PASS = {"f": 0.51, "d": 1.24}  # product and copies: each point once
TWIDDLE = {"f": 0.11, "d": 0.17}
LANES = {"f": 4, "d": 2}  # lines that are transformed side by side
LONE = {"f": 2.28, "d": 1.53}  # a line on its own, over its share of a full group
SPILL_BYTES = (20, 22, 23, 24, 25)  # log2 of a tile's bytes
SPILL = {"f": (1.0, 1.02, 1.17, 1.32, 1.52), "d": (1.0, 1.0, 1.0, 1.17, 1.22)}  # slowdown
BLOCK = 45e3  # Python's calls for one block
PART = 59e3  # Python's calls for one part of the output


class Costs:
    """The constants of one dtype, per sample of it."""

    def __init__(self, char):
        key = char.lower()
        self.real = char in "fd"
        self.itemsize = np.dtype(char).itemsize
        self.lanes, self.lone = LANES[key], LONE[key]
        self._points = 1 if self.real else 2
        self._first = REAL_LINE[key] if self.real else COMPLEX_LINE[key]
        self._other = COMPLEX_LINE[key]
        self._spill = SPILL[key]
        self.passes = self._points * PASS[key]
        self.twiddle = self._points * TWIDDLE[key]

    def first(self, length):
        """A line along the axis that is transformed first, per sample."""
        return self._points * _line(length, *self._first)

    def other(self, length):
        """A line along any other axis, per sample."""
        return self._points * _line(length, *self._other)

    def spill(self, samples):
        """By how much tiles of so many samples outgrow the cache."""
        return np.interp(np.log2(samples * self.itemsize), SPILL_BYTES, self._spill)


def _line(length, base, overhead, per_radix):
    cost = base + overhead / length
    for radix, nanoseconds in zip(RADICES, per_radix, strict=True):
        while nanoseconds and length % radix == 0:
            length //= radix
            cost += nanoseconds
    return cost
