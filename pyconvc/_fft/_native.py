"""Overlap-save by the transforms of the C library, along one to three axes.

They serve unless somebody set a backend of `scipy.fft`, or no tile is large enough.
"""

import functools
import itertools
import math
from dataclasses import dataclass

import numpy as np

from .. import _check, _core
from . import _native_costs
from ._tables import columns, rows, tables
from ._threads import threads_may_call_scipy

__all__ = ["NativePlan", "convolve", "convolve_line", "places", "plan"]

LONGEST = 1024  # side of a tile
MOST_ROWS = 1 << 14  # of a tile that holds lines of several depths
MOST_BYTES = 8 << 20  # of such a tile
DEEP = 1.6  # times the cost: rows of such a tile do not fit into the nearest cache
MOST_CUTS = 12  # parts of an axis that are weighed for the lines of a depth
CACHE_LINE = 64  # bytes
AT_ONCE = {"boundary": (0,) * 3, "start": (0,) * 3, "advance": (1,) * 3, "skip": (0,) * 3}
SPECTRA_BYTES = 64 << 20  # spectra of many kernels are kept up to this size, else made as needed


@dataclass(frozen=True)
class NativePlan:
    """Sizes and expected cost.

    Attributes
    ----------
    shape : tuple of int
        Rows and columns of a tile, in complex samples, and lines of each depth.
    fft, tile : tuple of int
        Real samples and outputs of a tile along each convolved axis.
    seconds, check : float
        As in `Plan`.
    """

    shape: tuple[int, int, int]
    fft: tuple[int, ...]
    tile: tuple[int, ...]
    seconds: float
    check: float


def plan(x_shape, w_shape, out_shape, axes, dtype, *, pad_before=None, zero_beyond=True):
    """The cheapest sizes for `convolve`, or None if it does not serve.

    The sizes do not depend on the axes that are not convolved: results keep their bits however a
    batch is split. Arguments are those of `_plan.plan`; `zero_beyond` tells that the input goes on
    with zeros.
    """
    char = np.dtype(dtype).char
    if char not in "fdFD" or not 1 <= len(axes) <= 3 or not threads_may_call_scipy():
        return None
    pads = None if pad_before is None else tuple(pad_before)
    return _plan(x_shape, w_shape, out_shape, tuple(axes), char, pads, zero_beyond, _core.isa())


@functools.lru_cache(maxsize=256)
def _plan(x_shape, w_shape, out_shape, axes, char, pads, zero_beyond, isa):
    sizes, taps, outs = (tuple(s[a] for a in axes) for s in (x_shape, w_shape, out_shape))
    if pads is None:
        pads = tuple((k - 1 + m - n) // 2 for n, k, m in zip(sizes, taps, outs, strict=True))
    if not zero_beyond:
        pads = (None,) * len(axes)
    found = _cheapest(sizes, taps, outs, pads, char, isa)
    if found is None:
        return None
    shape, fft, tile, each, count = found
    items = math.prod(out_shape) // max(1, math.prod(outs))
    kernels = math.prod(w_shape) // max(1, math.prod(taps))
    nanoseconds = each * (items * count + kernels / 2)
    parts = 1 if char in "fd" else 2
    check = parts * _native_costs.costs(char.lower())["check"]
    return NativePlan(shape, fft, tile, 1e-9 * nanoseconds, 1e-9 * check)


@functools.lru_cache(maxsize=64)  # shared by batches of any size
def _cheapest(sizes, taps, outs, pads, char, isa):
    """(shape, fft, tile, nanoseconds of a tile, tiles) for one item of a batch."""
    rows, columns, each = _shapes(char.lower(), len(sizes), isa)
    lines = rows * (2 if char in "fd" else 1)  # of samples: two real ones share a place
    height = lines
    if len(sizes) == 3:
        rows, columns, each, lines, height = _with_heights(
            (rows, columns, each, lines), sizes[1], taps[1], outs[1], pads[1]
        )
    ffts = [[lines * columns], [lines, columns], [lines // height, height, columns]][len(sizes) - 1]
    tiles = [_outputs(*axis) for axis in zip(ffts, sizes, taps, outs, pads, strict=True)]
    counts = [-(-m // np.maximum(v, 1)) for v, m in zip(tiles, outs, strict=True)]
    count = functools.reduce(np.multiply, counts)
    total = np.where(np.minimum.reduce(tiles) > 0, each * (count + 0.5), np.inf)
    if total.min(initial=np.inf) == np.inf:
        return None
    at = int(np.argmin(total))
    shape, fft, tile = (
        tuple(int(v[at]) for v in values) for values in ((rows, columns, height), ffts, tiles)
    )
    return shape, fft, tile, float(each[at]), int(count[at])


def _with_heights(shapes, size, taps, outs, pad):
    """The arrays of `shapes`, repeated for the numbers of lines that a depth may have, and these.

    A volume is transformed as if its lines were all of one plane: what leaves a depth comes into
    the next, among lines that are dropped.
    """
    heights = {-(-outs // count) + taps - 1 for count in range(1, MOST_CUTS + 1)}
    if pad is not None and 0 <= pad < taps:
        heights.add(max(taps, size + pad, outs + taps - 1 - pad))
    heights = np.array(sorted(heights))
    *shapes, height = np.broadcast_arrays(*(a[:, None] for a in shapes), heights)
    fits = height <= shapes[-1]
    return [a[fits] for a in (*shapes, height)]


@functools.lru_cache(maxsize=8)
def _shapes(char, rank, isa):
    """(rows, columns) of all tiles, and what a tile of each costs."""
    del isa  # the costs depend on it
    deep = rank == 3
    sides = rows(MOST_ROWS if deep else LONGEST), columns(LONGEST, char)
    found = np.array(list(itertools.product(*sides)))
    each = _native_costs.of_tiles(*sides, char).ravel() * (DEEP if deep else 1)
    if deep:
        fits = found.prod(axis=1) * 2 * np.dtype(char).itemsize <= MOST_BYTES
        found, each = found[fits], each[fits]
    return found[:, 0], found[:, 1], each


def _outputs(fft, size, taps, outs, pad):
    """Outputs of tiles of each of these lengths along an axis; 0 where the taps do not fit.

    A single tile may let its ends share the zeros beyond both ends of the input, where the products
    that wrap around meet nothing else.
    """
    tile = np.minimum(np.maximum(fft - taps + 1, 0), outs)
    if pad is not None and 0 <= pad < taps:
        need = max(taps, size + pad, outs + taps - 1 - pad)
        tile = np.where(fft >= need, outs, tile)
    return tile


def convolve(x, w, out, sizes, *, pads, boundary, fill, workers, heard=None):
    """As `overlap_save`, along the last axes, as many as `pads` has, by the sizes of `plan`."""
    rank = len(pads)
    where = places(sizes, w.shape[-rank:], pads, boundary, np.asarray(fill, x.dtype))
    x, w, out = (_as_volumes(a, rank) for a in (x, w, out))
    x, w, y = map(_core.canonical, (x, w, out))
    kernels = _Kernels(w, sizes.shape, rank == 1, workers)
    for at, lines, outputs in _batches(x, w, y):
        kernels.meet(at, lines, outputs, where, heard)
    if y is not out:
        out[...] = y


def convolve_line(x, w, out, sizes, where, workers, heard=None):
    """The same along one line of canonical arrays; `where` is what `places` found."""
    kernels = _Kernels(w[None, None], sizes.shape, True, workers)
    kernels.meet((), x[None, None, None], out[None, None, None], where, heard)


def _as_volumes(a, rank):
    """With axes of length 1 before the last ones, so that there are three."""
    return a[(..., *[None] * (3 - rank), *[slice(None)] * rank)]


def places(sizes, taps, pads, boundary, fill):
    """Where tiles begin, what is kept of them and what lies beyond the edges, as `_core.fourier`
    takes it.
    """
    return {**_places(sizes, taps, pads, boundary), "fill": fill}


@functools.lru_cache(maxsize=64)
def _places(sizes, taps, pads, boundary):
    others = 3 - len(pads)
    starts, skips = [0] * others, [0] * others
    for f, v, k, pad in zip(sizes.fft, sizes.tile, taps, pads, strict=True):
        shared = f < v + k - 1
        starts.append(0 if shared else -pad)
        skips.append(k - 1 - pad if shared else k - 1)
    return {
        "boundary": (_check.BOUNDARIES.index(boundary),) * 3,
        "start": tuple(starts),
        "advance": (1,) * others + sizes.tile,
        "skip": tuple(skips),
    }


def _batches(x, w, y):
    """(place of the kernel, inputs, outputs) for all along one axis that meet one kernel."""
    lead = y.shape[:-3]
    if not lead:
        yield (), x[None], y[None]
        return
    x = np.broadcast_to(x, lead + x.shape[-3:])
    common = [a for a, n in enumerate(w.shape[:-3]) if n == 1]
    if common:
        longest = max(common, key=lead.__getitem__)
        x, y = (np.moveaxis(a, longest, -4) for a in (x, y))
    else:
        x, y = x[..., None, :, :, :], y[..., None, :, :, :]
        longest = None
    for index in np.ndindex(y.shape[:-4]):
        at = list(index)
        if longest is not None:
            at.insert(longest, 0)
        at = tuple(i if n > 1 else 0 for i, n in zip(at, w.shape[:-3], strict=True))
        yield at, x[index], y[index]


class _Kernels:
    """Kernels that tiles meet, and their spectra, which are kept while they are few."""

    def __init__(self, w, shape, line, workers):
        self.w, self.points, self.dtype = w, 4 * math.prod(shape[:2]), w.real.dtype
        found = tables(*shape[:2], line, self.dtype.char)
        self.options = {"shape": shape, "tables": found, "workers": workers}
        self.most = max(1, SPECTRA_BYTES // (self.points * self.dtype.itemsize))
        self.kept = {}

    def meet(self, at, x, y, where, heard):
        """Convolve `x` with the kernel at this place of the leading axes into `y`."""
        levels = {"levels": heard.levels, "part": heard.part} if heard else {}
        _core.fourier(x, self._spectrum(at), y, **where, **self.options, **levels)

    def _spectrum(self, at):
        if at not in self.kept:
            if len(self.kept) == self.most:
                self.kept.clear()
            self.kept[at] = _aligned(self.points, self.dtype)
            beyond = {"fill": np.zeros((), self.w.dtype), **AT_ONCE}
            _core.fourier(self.w[at][None], self.kept[at], None, **beyond, **self.options)
        return self.kept[at]


def _aligned(count, dtype):
    """Room for so many elements, from the beginning of a line of the cache on."""
    room = np.empty(count + CACHE_LINE // dtype.itemsize, dtype)
    first = -room.__array_interface__["data"][0] % CACHE_LINE // dtype.itemsize
    return room[first : first + count]
