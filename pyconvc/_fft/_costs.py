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
    "f": (0.399, 12.1, (0, 0.177, 0.105, 0.169, 0.233, 0, 0)),
    "d": (0.101, 28.1, (0, 0.357, 0.208, 0.340, 0.472, 0, 0)),
}
COMPLEX_LINE = {
    "f": (0.145, 12.9, (0.310, 0.203, 0.142, 0.185, 0.286, 0.348, 0.543)),
    "d": (-0.110, 16.0, (0.574, 0.407, 0.278, 0.360, 0.547, 0.690, 1.030)),
}
PASS = {"f": 0.40, "d": 0.78}  # product and copies: each point once
TWIDDLE = {"f": 0.10, "d": 0.20}
LANES = {"f": 4, "d": 2}  # lines that are transformed side by side
LONE = {"f": 2.3, "d": 1.5}  # a line on its own, over its share of a full group
SPILL = ((20, 22, 23, 24, 25), (1.0, 1.02, 1.16, 1.38, 1.5))  # log2 of a tile's bytes, slowdown
BLOCK = 60e3  # Python's calls for one block
PART = 80e3  # Python's calls for one part of the output


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
        return np.interp(np.log2(samples * self.itemsize), *SPILL)


def _line(length, base, overhead, per_radix):
    cost = base + overhead / length
    for radix, nanoseconds in zip(RADICES, per_radix, strict=True):
        while nanoseconds and length % radix == 0:
            length //= radix
            cost += nanoseconds
    return cost
