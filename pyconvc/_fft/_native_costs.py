"""What the transforms of the C library cost.

Nanoseconds of one thread, printed by ``python benchmarks/calibrate_fft.py``. Only their ratios to
those of the other methods matter.
"""

import numpy as np

from .. import _core
from ._tables import RADICES, radices

__all__ = ["costs", "counts", "of_tiles"]

SPILL_BYTES = (18, 19, 20, 21, 22)  # log2 of a tile's bytes

# "sample": what a complex sample of a tile takes there and back, as `counts` has it; "spill":
# slowdown of large tiles; "check": looking at a sample whether its transform would be safe.
MEASURED = {
    "scalar": {
        "f": {
            "sample": (2.175, 0.793, 2.993, 0.515, 2.438, 1.961, 2.533, 3.496),
            "spill": (1.0, 1.02, 1.02, 1.03, 1.19),
            "check": 0.76,
        },
        "d": {
            "sample": (1.893, 0.53, 2.791, 0.58, 2.585, 2.185, 2.712, 3.406),
            "spill": (1.0, 1.03, 1.05, 1.09, 1.16),
            "check": 0.88,
        },
    },
    "sse2": {
        "f": {
            "sample": (0.967, 0.466, 2.068, 0.464, 0.82, 0.29, 0.731, 0.981),
            "spill": (1.0, 1.08, 1.1, 1.17, 1.33),
            "check": 0.37,
        },
        "d": {
            "sample": (2.044, 0.964, 1.857, 0.0, 1.566, 0.95, 1.412, 1.908),
            "spill": (1.0, 1.02, 1.04, 1.1, 1.15),
            "check": 1.06,
        },
    },
    "avx2": {
        "f": {
            "sample": (0.0, 0.43, 2.003, 0.713, 0.506, 0.291, 0.408, 0.613),
            "spill": (1.0, 1.07, 1.12, 1.22, 1.27),
            "check": 0.3,
        },
        "d": {
            "sample": (0.175, 0.578, 1.565, 0.709, 0.955, 0.593, 0.843, 1.259),
            "spill": (1.0, 1.04, 1.09, 1.1, 1.23),
            "check": 0.52,
        },
    },
}
UNMEASURED = "avx2"  # whose costs a tier takes that is not in the table
TILE = 300.0  # of a tile, whatever its size


def counts(rows, columns, line):
    """What the time for a complex sample is a sum of: itself, the slant, ends of lines and of
    columns, and each pass by its radix.
    """
    passes = [*radices(rows), *radices(columns)]
    return 1.0, float(line), 16 / columns, 16 / rows, *map(passes.count, RADICES)


def costs(char):
    """The constants of a dtype."""
    return MEASURED.get(_core.isa(), MEASURED[UNMEASURED])[char]


def of_tiles(shapes, line, char):
    """Nanoseconds for a tile of each of these (rows, columns)."""
    table = costs(char)
    samples = np.array([r * c for r, c in shapes], float)
    sides = {n: np.array(counts(n, n, False)) for n in {n for s in shapes for n in s}}
    each = np.array(table["sample"])
    terms = np.array([(sides[r] + sides[c]) / 2 for r, c in shapes])
    terms[:, 1] = line
    terms[:, 2:4] = [(16 / c, 16 / r) for r, c in shapes]
    spill = np.interp(np.log2(samples * 2 * np.dtype(char).itemsize), SPILL_BYTES, table["spill"])
    return TILE + samples * (terms @ each) * spill
