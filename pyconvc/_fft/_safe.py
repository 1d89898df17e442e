"""Whether transforms keep the error bound that is promised for ``method="auto"``."""

import functools
import itertools
import math
from dataclasses import dataclass

import numpy as np

from .. import _core
from ._native import NativePlan

__all__ = ["Heard", "is_safe"]

KERNEL_PARTS = 8
BLOCK_BYTES = 1 << 20  # of values that are looked at together


@dataclass(frozen=True)
class Heard:
    """The largest absolute value in each part of a line, the last of which takes the rest."""

    part: int
    levels: np.ndarray

    @classmethod
    def room(cls, x, w, sizes):
        """Room for what `is_safe` wants to know of a line, or None.

        None if transforms of these sizes do not find it by the way.
        """
        w = _without_zero_ends(w, (0,))
        plain = x.ndim == 1 and x.dtype.isnative and x.strides == (x.itemsize,)
        if not (plain and w.size and x.size and isinstance(sizes, NativePlan)):
            return None
        part = min(_part(w, 0), x.size)
        return cls(part, np.empty(x.size // part, x.dtype))


def is_safe(x, w, *, axes=None, fft=None, boundary="constant", fill=0, workers=1, heard=None):
    """Tell whether `overlap_save` would keep small outputs accurate.

    A direct sum rounds each output by its own terms; a transform spreads its rounding over the
    whole tile, where loud samples drown quiet ones. With the unit roundoff u, tiles of F samples,
    and M the largest absolute sample of a tile, an output of it is off by at most about
    ``4 u log2(F) M sum|w|``. Safe means that, with ``R = 1 / (4 sqrt(u))``,

    - all values are finite, and no sum overflows or leaves the normal numbers;
    - cut into parts of half the kernel's length (zeros at its ends not counted) along each axis,
      each part of the input is silent (all zero) or has a sample of at least M / R, for the
      largest M of the tiles that can hold the part;
    - cut into 8 parts along each axis, each part of the kernel is all zero or has a tap of at
      least the largest tap / (16 R).

    Then each output is off by at most ``sqrt(u) log2(F) m sum|w|``, where m is the largest
    absolute sample under the kernel or within half its length beside it: half of the digits in
    the worst case, and u in place of sqrt(u) where the input is about equally loud everywhere.
    Where all these samples are silent, m is the largest sample of the tile. The third rule keeps
    outputs that meet only a weak end of the kernel from drowning in the same way.

    Parameters
    ----------
    x, w : ndarray
        As in `overlap_save`.
    axes : sequence of int, optional
        The convolved axes; all by default.
    fft : sequence of int, optional
        `Plan.fft`, in the order of `axes`; by default the whole input counts as one tile.
    boundary : str
        As in `overlap_save`.
    fill : scalar
        As in `overlap_save`.
    workers : int
        Threads.
    heard : Heard, optional
        What was found of `x` already.

    Returns
    -------
    bool

    Examples
    --------
    >>> import numpy as np
    >>> x = np.sin(np.arange(10_000.0))
    >>> is_safe(x, np.ones(100))
    True
    >>> x[5000:] *= 1e-12
    >>> is_safe(x, np.ones(100))
    False
    """
    axes = tuple(range(x.ndim)) if axes is None else tuple(a % x.ndim for a in axes)
    if not (x.size and w.size):
        return True
    w = _without_zero_ends(w, axes)
    lengths = [_part(w, a) for a in axes]
    taps, softest, top = _levels(w, axes, [-(-w.shape[a] // KERNEL_PARTS) for a in axes])
    if heard:
        heard = heard.levels
        quietest, loudest = _core.ends_of(heard)
    else:
        heard, quietest, loudest = _levels(x, axes, lengths, workers)
    fill = float(abs(fill))
    loudest = loudest if fill <= loudest else fill  # NaN stays
    points = math.prod(fft or [x.shape[a] + w.shape[a] for a in axes])
    most, least, ratio = _limits(x.dtype.char)
    gain = top * math.prod(w.shape[a] for a in axes) * points

    def is_in_range(loudest, quietest, softest):
        return loudest * gain < most and quietest * softest / points > least

    if softest >= top / (16 * ratio) > 0 and quietest >= loudest / ratio > 0:
        return is_in_range(loudest, quietest, softest)  # whatever tiles and kernels there are
    with np.errstate(all="ignore"):
        peaks = heard
        for a, length, size in zip(axes, lengths, fft or [math.inf] * len(axes), strict=True):
            peaks = _loudest_near(peaks, a, math.inf if boundary == "circular" else size / length)
        peaks = np.maximum(peaks, fill)
        return (
            _is_within(taps, taps.max(axis=axes, keepdims=True), 16 * ratio)
            and is_in_range(float(peaks.max()), _least(heard), _least(taps))
            and _is_within(heard, peaks, ratio)
        )


def _part(w, axis):
    """Samples of the input that are looked at together."""
    return (w.shape[axis] + 1) // 2


@functools.cache
def _limits(char):
    """The largest and the least normal number of a type, and the R of `is_safe`."""
    limits = np.finfo(char)
    return float(limits.max), float(limits.tiny), 1 / math.sqrt(8 * float(limits.eps))  # eps is 2 u


def _is_within(levels, peaks, ratio):
    """Whether all levels but zeros are at least their peak / ratio."""
    return bool(((levels == 0) | (levels >= peaks / ratio)).all())


def _least(levels):
    return float(levels.min(where=levels != 0, initial=math.inf))


def _without_zero_ends(w, axes):
    if w.item(0) and w.item(-1):  # as most kernels have it: an end of each axis is in either
        return w
    for a in axes:
        ends = w[(slice(None),) * a + (slice(None, None, max(1, w.shape[a] - 1)),)]
        if ends.any(axis=tuple(b for b in range(w.ndim) if b != a)).all():
            continue  # all other taps need not be looked at
        used = np.flatnonzero(w.any(axis=tuple(b for b in range(w.ndim) if b != a)))
        if used.size:
            w = w[(slice(None),) * a + (slice(used[0], used[-1] + 1),)]
    return w


def _levels(values, axes, lengths, workers=1):
    """The largest absolute value in each part of the given lengths, and the ends of these levels.

    The last parts take the rest.
    """
    parts = [1] * values.ndim
    for a, length in zip(axes, lengths, strict=True):
        parts[a] = min(length, values.shape[a])
    if values.dtype.kind == "c" and values.strides[-1] == values.itemsize:
        values = values.view(values.real.dtype)  # the larger of real and imaginary part
        parts[-1] *= 2
        lengths = [2 * n if a == values.ndim - 1 else n for a, n in zip(axes, lengths, strict=True)]
    depth = parts[0] if values.ndim == 3 else 1
    found = _core.loudest(values, (1, *parts[1:]) if depth > 1 else tuple(parts), workers=workers)
    if found and depth > 1:
        levels = _of_parts(np.maximum, found[0], 0, depth)
        found = levels, *_core.ends_of(levels)
    if found is None:
        levels = _loudest_in_blocks(values, axes, lengths)
        found = levels, float(levels.min()), float(levels.max())
    return found


def _loudest_in_blocks(values, axes, lengths):
    """The same for any arrays.

    Large ones are cut between parts, so that little memory is needed beside the result.
    """
    length_of = dict(zip(axes, lengths, strict=True))
    counts = [max(1, n // length_of.get(a, 1)) for a, n in enumerate(values.shape)]
    cut = int(np.argmax(counts))
    blocks = min(counts[cut], -(-values.nbytes // BLOCK_BYTES))
    if blocks <= 1:
        return _loudest_at_once(values, axes, lengths)
    step = -(-counts[cut] // blocks)
    starts = [i * length_of.get(cut, 1) for i in range(0, counts[cut], step)]
    before = (slice(None),) * cut
    parts = [
        _loudest_in_blocks(values[(*before, slice(*ends))], axes, lengths)
        for ends in itertools.pairwise([*starts, None])
    ]
    return np.concatenate(parts, axis=cut)


def _loudest_at_once(values, axes, lengths):
    """The same for few values."""
    if values.dtype.kind == "c":
        return _loudest_of_parts(values, axes, lengths)
    low = None
    for axis, length in zip(axes, lengths, strict=True):
        if low is None:
            low = _of_parts(np.minimum, values, axis, length)
            values = np.maximum(_of_parts(np.maximum, values, axis, length), -low)
        else:
            values = _of_parts(np.maximum, values, axis, length)
    return values


def _loudest_of_parts(values, axes, lengths):
    """The same for complex values, by the larger of real and imaginary part."""
    return np.maximum(*(_loudest_at_once(v, axes, lengths) for v in (values.real, values.imag)))


def _of_parts(ufunc, a, axis, length):
    """Reduce each part along an axis; the last part takes the rest."""
    count = max(1, a.shape[axis] // length)
    if axis == a.ndim - 1:
        return ufunc.reduceat(a, np.arange(count) * length, axis=axis)
    before = (slice(None),) * axis
    whole = a[(*before, slice((count - 1) * length))]
    whole = whole.reshape(*a.shape[:axis], count - 1, length, *a.shape[axis + 1 :])
    rest = a[(*before, slice((count - 1) * length, None))]
    parts = ufunc.reduce(whole, axis=axis + 1), ufunc.reduce(rest, axis=axis, keepdims=True)
    return np.concatenate(parts, axis=axis)


def _loudest_near(levels, axis, size):
    """Largest level within at least `size` parts to both sides along an axis."""
    if levels.shape[axis] <= 2 * size:
        return levels.max(axis=axis, keepdims=True)
    starts = np.arange(0, levels.shape[axis], math.ceil(size))
    chunks = np.moveaxis(np.maximum.reduceat(levels, starts, axis=axis), axis, 0)
    near = chunks.copy()
    np.maximum(near[1:], chunks[:-1], out=near[1:])
    np.maximum(near[:-1], chunks[1:], out=near[:-1])
    counts = np.diff(starts, append=levels.shape[axis])
    return np.repeat(np.moveaxis(near, 0, axis), counts, axis=axis)
