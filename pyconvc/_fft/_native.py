"""Overlap-save by the transforms of the C library, along one or two axes.

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
CACHE_LINE = 64  # bytes
AT_ONCE = {"boundary": (0, 0), "start": (0, 0), "advance": (1, 1), "skip": (0, 0)}  # one tile
SPECTRA_BYTES = 64 << 20  # spectra of many kernels are kept up to this size, else made as needed


@dataclass(frozen=True)
class NativePlan:
    """Sizes and expected cost.

    Attributes
    ----------
    shape : tuple of int
        Rows and columns of a tile, in complex samples.
    fft, tile : tuple of int
        Real samples and outputs of a tile along each convolved axis.
    seconds, check : float
        As in `Plan`.
    """

    shape: tuple[int, int]
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
    if char not in "fdFD" or not 1 <= len(axes) <= 2 or not threads_may_call_scipy():
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
    """(rows and columns, fft, tile, nanoseconds of a tile, tiles) for one item of a batch."""
    line = len(sizes) == 1
    shapes, each = _shapes(char.lower(), isa)
    rows = shapes[:, 0] * (2 if char in "fd" else 1)  # of samples: two real ones share a place
    ffts = [rows * shapes[:, 1]] if line else [rows, shapes[:, 1]]
    tiles = [_outputs(*axis) for axis in zip(ffts, sizes, taps, outs, pads, strict=True)]
    counts = [-(-m // np.maximum(v, 1)) for v, m in zip(tiles, outs, strict=True)]
    count = functools.reduce(np.multiply, counts)
    total = np.where(np.minimum.reduce(tiles) > 0, each * (count + 0.5), np.inf)
    at = int(np.argmin(total))
    if total[at] == np.inf:
        return None
    fft, tile = (tuple(int(v[at]) for v in values) for values in (ffts, tiles))
    return tuple(map(int, shapes[at])), fft, tile, float(each[at]), int(count[at])


@functools.lru_cache(maxsize=8)
def _shapes(char, isa):
    """All shapes of tiles, and what a tile of each costs."""
    del isa  # the costs depend on it
    sides = rows(LONGEST), columns(LONGEST, char)
    return np.array(list(itertools.product(*sides))), _native_costs.of_tiles(*sides, char).ravel()


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
    line = len(pads) == 1
    if line:
        x, w, out = (a[..., None, :] for a in (x, w, out))
    where = places(sizes, w.shape[line - 2 :], pads, boundary, np.asarray(fill, x.dtype))
    x, w, y = map(_core.canonical, (x, w, out))
    kernels = _Kernels(w, sizes.shape, line, workers)
    for at, lines, outputs in _batches(x, w, y):
        kernels.meet(at, lines, outputs, where, heard)
    if y is not out:
        out[...] = y


def convolve_line(x, w, out, sizes, where, workers, heard=None):
    """The same along one line of canonical arrays; `where` is what `places` found."""
    kernels = _Kernels(w[None], sizes.shape, True, workers)
    kernels.meet((), x[None, None], out[None, None], where, heard)


def places(sizes, taps, pads, boundary, fill):
    """Where tiles begin, what is kept of them and what lies beyond the edges, as `_core.fourier`
    takes it.
    """
    return {**_places(sizes, taps, pads, boundary), "fill": fill}


@functools.lru_cache(maxsize=64)
def _places(sizes, taps, pads, boundary):
    line = len(pads) == 1
    starts, skips = [0] * line, [0] * line
    for f, v, k, pad in zip(sizes.fft, sizes.tile, taps, pads, strict=True):
        shared = f < v + k - 1
        starts.append(0 if shared else -pad)
        skips.append(k - 1 - pad if shared else k - 1)
    return {
        "boundary": (_check.BOUNDARIES.index(boundary),) * 2,
        "start": tuple(starts),
        "advance": (1,) * line + sizes.tile,
        "skip": tuple(skips),
    }


def _batches(x, w, y):
    """(place of the kernel, inputs, outputs) for all along one axis that meet one kernel."""
    lead = y.shape[:-2]
    if not lead:
        yield (), x[None], y[None]
        return
    x = np.broadcast_to(x, lead + x.shape[-2:])
    common = [a for a, n in enumerate(w.shape[:-2]) if n == 1]
    if common:
        longest = max(common, key=lead.__getitem__)
        x, y = (np.moveaxis(a, longest, -3) for a in (x, y))
    else:
        x, y = x[..., None, :, :], y[..., None, :, :]
        longest = None
    for index in np.ndindex(y.shape[:-3]):
        at = list(index)
        if longest is not None:
            at.insert(longest, 0)
        at = tuple(i if n > 1 else 0 for i, n in zip(at, w.shape[:-2], strict=True))
        yield at, x[index], y[index]


class _Kernels:
    """Kernels that tiles meet, and their spectra, which are kept while they are few."""

    def __init__(self, w, shape, line, workers):
        self.w, self.points, self.dtype = w, 4 * math.prod(shape), w.real.dtype
        found = tables(*shape, line, self.dtype.char)
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
