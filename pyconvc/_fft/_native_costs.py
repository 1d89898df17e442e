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
    "avx2": {
        "f": {
            "sample": (1.156, 0.389, 1.688, 0.109, 0.513, 0.456, 0.582, 0.587),
            "spill": (1.0, 1.06, 1.08, 1.19, 1.68),
            "check": 0.4,
        },
        "d": {
            "sample": (0.0, 0.669, 3.326, 1.38, 1.083, 0.673, 1.414, 1.599),
            "spill": (1.0, 1.07, 1.17, 1.24, 1.4),
            "check": 0.8,
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
