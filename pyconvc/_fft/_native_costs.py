"""What the transforms of the C library cost.

Nanoseconds of one thread, printed by ``python benchmarks/calibrate_fft.py``. Only their ratios to
those of the other methods matter.
"""

import numpy as np

from .. import _core
from ._tables import RADICES, block, radices

__all__ = ["costs", "counts", "of_tiles"]

SPILL_BYTES = (18, 19, 20, 21, 22)  # log2 of a tile's bytes

# "sample": what a complex sample of a tile takes there and back, as `counts` has it; "spill":
# slowdown of large tiles; "check": looking at a sample whether its transform would be safe.
MEASURED = {
    "scalar": {
        "f": {
            "sample": (13.349, 0.112, 0.042, 1.694, 2.09, 3.03, 3.366),
            "spill": (1.0, 1.02, 1.02, 1.03, 1.06),
            "check": 0.74,
        },
        "d": {
            "sample": (7.137, 3.067, 3.07, 2.134, 2.204, 3.671, 4.191),
            "spill": (1.0, 1.0, 1.02, 1.02, 1.06),
            "check": 0.84,
        },
    },
    "sse2": {
        "f": {
            "sample": (4.695, 1.845, 1.782, 0.305, 0.189, 0.782, 0.904),
            "spill": (1.0, 1.0, 1.05, 1.05, 1.05),
            "check": 0.35,
        },
        "d": {
            "sample": (3.567, 2.667, 0.495, 1.18, 0.929, 1.641, 1.966),
            "spill": (1.0, 1.03, 1.05, 1.05, 1.12),
            "check": 1.06,
        },
    },
    "avx2": {
        "f": {
            "sample": (1.245, 2.821, 0.0, 0.307, 0.26, 0.455, 0.529),
            "spill": (1.0, 1.05, 1.09, 1.1, 1.18),
            "check": 0.22,
        },
        "d": {
            "sample": (3.0, 3.139, 0.311, 0.376, 0.319, 0.656, 0.638),
            "spill": (1.0, 1.07, 1.12, 1.15, 1.25),
            "check": 0.54,
        },
    },
}
UNMEASURED = "avx2"  # whose costs a tier takes that is not in the table
NEAR = 256  # rows of which a few columns stay in 32 KiB
TILE = 700.0  # of a tile, whatever its size


def counts(rows, columns, char):
    """What the time for a complex sample is a sum of: itself, ends of lines, what the nearest cache
    does not hold of some columns, and each pass by its radix.
    """
    return _of_sides(rows, columns) + _of_passes(4, rows // 4) + _of_passes(columns // block(char))


def _of_sides(rows, columns):
    return np.array([1, 16 / columns, max(0, 1 - NEAR / rows), *[0] * len(RADICES)])


def _of_passes(*lengths):
    passes = [radix for length in lengths for radix in radices(length)]
    return np.array([0, 0, 0, *map(passes.count, RADICES)])


def costs(char):
    """The constants of a dtype."""
    return MEASURED.get(_core.isa(), MEASURED[UNMEASURED])[char]


def of_tiles(rows, columns, char):
    """Nanoseconds for a tile of each of these rows and columns, in a table of both."""
    table = costs(char)
    each = np.array(table["sample"])
    down = {r: _of_passes(4, r // 4) @ each for r in rows}
    along = {c: _of_passes(c // block(char)) @ each for c in columns}
    sides = [[_of_sides(r, c) @ each + down[r] + along[c] for c in columns] for r in rows]
    samples = np.multiply.outer(rows, columns)
    spill = np.interp(np.log2(samples * 2 * np.dtype(char).itemsize), SPILL_BYTES, table["spill"])
    return TILE + samples * np.array(sides) * spill
