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
            "sample": (1.345, 1.521, 1.357, 0.623, 3.747, 2.122, 2.144, 3.19, 3.148),
            "spill": (1.0, 1.03, 1.03, 1.03, 1.03),
            "check": 0.74,
        },
        "d": {
            "sample": (0.237, 1.749, 1.121, 0.35, 5.64, 2.474, 2.244, 3.28, 3.595),
            "spill": (1.0, 1.02, 1.03, 1.04, 1.06),
            "check": 0.84,
        },
    },
    "sse2": {
        "f": {
            "sample": (0.223, 0.521, 1.553, 0.29, 1.538, 0.648, 0.553, 0.839, 1.007),
            "spill": (1.0, 1.03, 1.07, 1.07, 1.1),
            "check": 0.35,
        },
        "d": {
            "sample": (1.969, 1.059, 0.994, 0.0, 5.104, 1.179, 0.876, 1.362, 1.88),
            "spill": (1.0, 1.06, 1.06, 1.07, 1.07),
            "check": 1.06,
        },
    },
    "avx2": {
        "f": {
            "sample": (0.524, 0.209, 1.427, 0.395, 1.641, 0.352, 0.227, 0.299, 0.524),
            "spill": (1.0, 1.08, 1.12, 1.15, 1.19),
            "check": 0.22,
        },
        "d": {
            "sample": (0.0, 0.707, 0.747, 0.277, 3.379, 0.904, 0.52, 0.819, 1.251),
            "spill": (1.0, 1.03, 1.06, 1.08, 1.08),
            "check": 0.54,
        },
    },
}
UNMEASURED = "avx2"  # whose costs a tier takes that is not in the table
NEAR = 256  # columns up to which the lines that are transformed side by side stay in 32 KiB
TILE = 300.0  # of a tile, whatever its size


def counts(rows, columns, line):
    """What the time for a complex sample is a sum of: itself, the slant, ends of lines and of
    columns, what the nearest cache does not hold of some lines, and each pass by its radix.
    """
    passes = [*radices(rows), *radices(columns)]
    return 1.0, float(line), *_of_sides(rows, columns), *map(passes.count, RADICES)


def _of_sides(rows, columns):
    return 16 / columns, 16 / rows, max(0.0, 1 - NEAR / columns)


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
    terms[:, 2:5] = [_of_sides(r, c) for r, c in shapes]
    spill = np.interp(np.log2(samples * 2 * np.dtype(char).itemsize), SPILL_BYTES, table["spill"])
    return TILE + samples * (terms @ each) * spill
