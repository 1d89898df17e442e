"""Cases shared by the tests: dtypes, awkward arrays, shapes, problems, and the comparison.

Everything random comes from a seed that the failure text shows.
"""

import math
from dataclasses import dataclass, field
from itertools import product

import numpy as np
from hypothesis import strategies as st

INTEGERS = [np.dtype(f"{kind}{size}") for size in (1, 2, 4, 8) for kind in "iu"]
FLOATS = [np.dtype(np.float32), np.dtype(np.float64)]
COMPLEXES = [np.dtype(np.complex64), np.dtype(np.complex128)]
EXACT = [np.dtype(bool), *INTEGERS]
DTYPES = [*EXACT, *FLOATS, *COMPLEXES]

BOUNDARIES = ["constant", "replicate", "reflect", "symmetric", "circular"]
NUMPY_PAD = dict(zip(BOUNDARIES, ["constant", "edge", "reflect", "symmetric", "wrap"], strict=True))
MODES = ["full", "same", "valid"]

SIZES = [(7, 3), (8, 3), (7, 4), (8, 4), (5, 5), (4, 4), (6, 1), (1, 1), (1, 3), (1, 4), (3, 8)]
"""Lengths of an axis and of a kernel along it: odd, even, equal, one, kernel larger than input."""


def shape_pairs(rank):
    """Shapes of an input and a kernel in which every pair of SIZES occurs on every axis."""
    for i in range(len(SIZES)):
        axes = [SIZES[(i * (2 * axis + 1)) % len(SIZES)] for axis in range(rank)]
        yield tuple(n for n, _ in axes), tuple(k for _, k in axes)


def empty_shapes(rank):
    """Shapes without elements."""
    for lengths in product((0, 3), repeat=rank):
        if 0 in lengths:
            yield lengths


def values(rng, shape, dtype):
    """Random samples: normal of unit variance, all values of an integer type, coin flips."""
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return np.asarray(rng.random(shape) < 0.5)
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return np.asarray(rng.integers(limits.min, limits.max, shape, dtype, endpoint=True))
    samples = rng.standard_normal(shape)
    if dtype.kind == "c":
        samples = samples + 1j * rng.standard_normal(shape)
    return np.asarray(samples).astype(dtype)


def _contiguous(rng, shape, dtype):
    return np.ascontiguousarray(values(rng, shape, dtype)).reshape(shape)


def _fortran(rng, shape, dtype):
    return np.asfortranarray(values(rng, shape, dtype)).reshape(shape, order="A")


def _negative(rng, shape, dtype):
    return np.flip(values(rng, shape, dtype))


def _stepped(rng, shape, dtype):
    wide = values(rng, [3 * n + 1 for n in shape], dtype)
    return wide[tuple(slice(1, None, 3) for _ in shape)]


def _channels_last(rng, shape, dtype):
    if len(shape) < 3:
        return _fortran(rng, shape, dtype)
    return np.moveaxis(values(rng, (shape[0], *shape[2:], shape[1]), dtype), -1, 1)


def _zero_stride(rng, shape, dtype):
    return np.broadcast_to(values(rng, (*shape[:-1], min(1, *shape[-1:])), dtype), shape)


def _overlapping(rng, shape, dtype):
    line = values(rng, sum(shape) + 1, dtype)
    return np.lib.stride_tricks.as_strided(line, shape, line.strides * len(shape))


def _byte_swapped(rng, shape, dtype):
    samples = values(rng, shape, dtype)
    return samples.astype(samples.dtype.newbyteorder())


def _read_only(rng, shape, dtype):
    samples = _contiguous(rng, shape, dtype)
    samples.flags.writeable = False
    return samples


def _unaligned(rng, shape, dtype):
    samples = values(rng, shape, dtype)
    store = bytearray(samples.nbytes + 1)
    odd = np.ndarray(samples.shape, samples.dtype, store, offset=1)
    odd[...] = samples
    return odd


VIEWS = {
    "contiguous": _contiguous,
    "fortran": _fortran,
    "negative": _negative,
    "stepped": _stepped,
    "channels_last": _channels_last,
    "zero_stride": _zero_stride,
    "overlapping": _overlapping,
    "byte_swapped": _byte_swapped,
    "read_only": _read_only,
    "unaligned": _unaligned,
}
"""Makers ``(rng, shape, dtype) -> array``, one for each layout an input may have."""


@dataclass(frozen=True)
class Problem:
    """One correlate pass; the keywords are those of pyconvc.reference.correlate."""

    batch: int
    groups: int
    channels: int
    filters: int
    space: tuple
    taps: tuple
    stride: tuple
    dilation: tuple
    padding: tuple
    boundary: tuple
    fill: int = 0
    flip: bool = False
    seed: int = 0
    keywords: dict = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        names = "stride", "dilation", "padding", "boundary", "groups", "flip"
        object.__setattr__(self, "keywords", {name: getattr(self, name) for name in names})

    @property
    def x_shape(self):
        """Shape of the input, (N, G*C, *space)."""
        return (self.batch, self.groups * self.channels, *self.space)

    @property
    def w_shape(self):
        """Shape of the filters, (G*K, C, *taps)."""
        return (self.groups * self.filters, self.channels, *self.taps)

    @property
    def terms(self):
        """Number of products in one output."""
        return self.channels * math.prod(self.taps)

    def arrays(self, dtype, view="contiguous"):
        """Input and filters of a dtype, in one of VIEWS."""
        rng = np.random.default_rng(self.seed)
        return VIEWS[view](rng, self.x_shape, dtype), VIEWS[view](rng, self.w_shape, dtype)


LARGEST = {1: 70, 2: 24, 3: 9}
"""Longest axis drawn, by rank: rows long enough for whole vectors, volumes small enough to sum."""


@st.composite
def problems(draw, ranks=(1, 2, 3), boundaries=tuple(BOUNDARIES), max_channels=3):
    """Strategy of Problem: every combination of arguments, pads and kernels beyond the input."""
    rank = draw(st.sampled_from(ranks))

    def axes(strategy):
        return tuple(draw(strategy) for _ in range(rank))

    largest = LARGEST[rank]
    pad = st.one_of(st.integers(0, 3), st.integers(0, largest // 2))
    groups, channels, filters = (draw(st.integers(1, max_channels)) for _ in range(3))
    return Problem(
        batch=draw(st.integers(1, 3)),
        groups=groups,
        channels=channels,
        filters=filters,
        space=axes(st.one_of(st.integers(1, 5), st.integers(1, largest))),
        taps=axes(st.one_of(st.integers(1, 5), st.integers(1, 2 + largest // 4))),
        stride=axes(st.integers(1, 3)),
        dilation=axes(st.integers(1, 3)),
        padding=axes(st.tuples(pad, pad)),
        boundary=axes(st.sampled_from(boundaries)),
        fill=draw(st.sampled_from((0, 1, 3))),
        flip=draw(st.booleans()),
        seed=draw(st.integers(0, 2**32 - 1)),
    )


@dataclass(frozen=True)
class SignalCall:
    """Two shapes and a mode under which they can be convolved."""

    shapes: tuple
    mode: str
    seed: int

    @property
    def terms(self):
        """Most products in one output."""
        return math.prod(map(min, *self.shapes))

    def arrays(self, dtype1, dtype2, view="contiguous"):
        """The two inputs, in one of VIEWS."""
        rng = np.random.default_rng(self.seed)
        dtypes = dtype1, dtype2
        return [VIEWS[view](rng, s, d) for s, d in zip(self.shapes, dtypes, strict=True)]


@st.composite
def signal_calls(draw, ranks=(1, 2, 3)):
    """Strategy of SignalCall: either input the longer, on each axis unless the mode is valid."""
    rank = draw(st.sampled_from(ranks))
    lengths = st.one_of(st.integers(1, 5), st.integers(1, LARGEST[rank]))
    mode = draw(st.sampled_from(MODES))
    pairs = [(draw(lengths), draw(lengths)) for _ in range(rank)]
    if mode == "valid":
        pairs = [(max(pair), min(pair)) for pair in pairs]
        if draw(st.booleans()):
            pairs = [(n, k) for k, n in pairs]
    return SignalCall(tuple(zip(*pairs, strict=True)), mode, draw(st.integers(0, 2**32 - 1)))


def random(shape, dtype=float, seed=0):
    """`values` from a seed."""
    return values(np.random.default_rng(seed), shape, dtype)


def of_rank(module, name, rank, suffix=""):
    """The function of a family: ``of_rank(nn, "conv", 2)`` is ``nn.conv2d``."""
    return getattr(module, f"{name}{rank}d{suffix}")


def torch_gradients(call, arrays, *arguments, **keywords):
    """Output of a PyTorch call, a random gradient of it, and what comes back for each array."""
    import torch

    inputs = [torch.tensor(a, requires_grad=True) for a in arrays]
    y = call(*inputs, *arguments, **keywords)
    g = random(y.shape, arrays[0].dtype, 9)
    y.backward(torch.tensor(g))
    return y.detach().numpy(), g, [i.grad.numpy() for i in inputs]


def assert_same(got, want, dtype=None, *, terms=64, scale=None, precision=None, **context):
    """Compare a result with the expected one as closely as its dtype allows.

    Shape and dtype must be equal, and so must bool and integer values, NaN and infinities. Other
    values may differ by ``4 * terms`` roundings of a number of size `scale`.

    Parameters
    ----------
    got, want : ndarray
    dtype : dtype, optional
        What `got` must have. Default: that of `want`, which may be of higher precision.
    terms : int
        Number of products summed in one output.
    scale : float, optional
        Size of the largest partial sum. Default: of `want`, at least 1.
    precision : dtype, optional
        Type of the roundings, where it is narrower than `dtype`.
    **context
        Whatever helps to find the failing case: shown with it.
    """
    dtype = np.dtype(dtype or want.dtype)
    assert isinstance(got, np.ndarray), _report("not an array", got, want, context)
    assert got.shape == want.shape, _report("wrong shape", got, want, context)
    assert got.dtype == dtype, _report(f"wrong dtype, not {dtype}", got, want, context)
    if dtype.kind in "biu":
        wrong = got != want
    else:
        finite = np.isfinite(want)
        if scale is None:
            scale = max(1, np.abs(want[finite]).max(initial=0))
        tolerance = 4 * terms * _eps(np.dtype(precision or dtype)) * scale
        with np.errstate(invalid="ignore", over="ignore"):
            near = np.abs(got - want) <= tolerance
        wrong = ~np.where(finite, near, _same_special(got, want))
    if wrong.any():
        at = tuple(map(int, np.unravel_index(wrong.argmax(), wrong.shape)))
        text = f"{wrong.sum()} of {wrong.size} values differ, first at {at}: {got[at]!r}"
        raise AssertionError(_report(f"{text}, not {want[at]!r}", got, want, context))


def _same_special(got, want):
    """NaN where NaN is wanted, else the same infinity; complex values need only not be finite."""
    if np.iscomplexobj(want):
        return ~np.isfinite(got)
    return np.where(np.isnan(want), np.isnan(got), np.isfinite(want) | (got == want))


def _eps(dtype):
    try:
        return float(np.finfo(dtype).eps)
    except ValueError:  # bfloat16: eight bits of significand
        return 2.0**-7


def _report(text, got, want, context):
    lines = [text]
    for name, value in {"got": got, "want": want, **context}.items():
        if isinstance(value, np.ndarray):
            value = f"{value.dtype} {value.shape} strides {value.strides}"
        lines.append(f"{name}: {value}")
    return "\n  ".join(lines)
