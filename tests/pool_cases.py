"""Pools drawn by hypothesis: every argument of pyconvc.nn's pools."""

import math
from dataclasses import dataclass

import cases
import numpy as np
from hypothesis import strategies as st

from pyconvc import nn
from pyconvc.reference import nn as reference

RANKS = [1, 2, 3]
LONGEST = {1: (200,), 2: (40, 150), 3: (9, 12, 40)}
"""Longest axes drawn, by rank: the last one long enough for whole tiles of vectors."""

MOST_TAPS = {1: (40,), 2: (20, 20), 3: (4, 9, 9)}
"""Largest kernels: some are computed from runs of samples, and from blocks of rows."""


@dataclass(frozen=True)
class Pool:
    """Shape of an input, and the arguments of a sliding pool."""

    rank: int
    batch: int
    channels: int
    space: tuple
    kernel: tuple
    stride: tuple
    padding: tuple
    dilation: tuple
    ceil_mode: bool
    count_include_pad: bool
    divisor: int | None
    batched: bool
    seed: int

    @property
    def shape(self):
        """Shape of the input, with or without batch."""
        shape = (self.batch, self.channels, *self.space)
        return shape if self.batched else shape[1:]

    @property
    def taps(self):
        """Number of samples in a window."""
        return math.prod(self.kernel)

    def array(self, dtype, view="contiguous", ties=False):
        """An input; with ties, of few different values, so that maxima come more than once."""
        x = cases.VIEWS[view](np.random.default_rng(self.seed), self.shape, dtype)
        return np.round(x) if ties and x.dtype.kind == "f" else x

    def average(self):
        """Arguments of avg_pool that come after the input (dilation is none of them)."""
        window = self.kernel, self.stride, self.padding, self.ceil_mode
        return *window, self.count_include_pad, self.divisor

    def maximum(self):
        """Arguments of max_pool that come after the input."""
        return self.kernel, self.stride, self.padding, self.dilation, self.ceil_mode

    def both(self, name, *arguments, suffix="", **more):
        """What pyconvc.nn and the reference give; ``suffix`` that of a gradient."""
        modules = (nn.grad, reference.grad) if suffix else (nn, reference)
        return [cases.of_rank(m, name, self.rank, suffix)(*arguments, **more) for m in modules]


@st.composite
def pools(draw, dilations=3, ranks=tuple(RANKS)):
    """Strategy of Pool: windows that overlap, touch, leave gaps, hang over, have no sample."""
    rank = draw(st.sampled_from(ranks))
    axes = [
        draw(_axes(*most, dilations)) for most in zip(LONGEST[rank], MOST_TAPS[rank], strict=True)
    ]
    space, kernel, stride, padding, dilation = zip(*axes, strict=True)
    return Pool(
        rank,
        draw(st.integers(1, 2)),
        draw(st.integers(1, 5)),
        space,
        kernel,
        stride,
        padding,
        dilation,
        ceil_mode=draw(st.booleans()),
        count_include_pad=draw(st.booleans()),
        divisor=draw(st.sampled_from([None, None, 1, 7])),
        batched=draw(st.booleans()),
        seed=draw(st.integers(0, 2**32 - 1)),
    )


@st.composite
def _axes(draw, longest, most_taps, dilations):
    """Space, kernel, stride, padding, dilation of one axis; the kernel fits in the padded space."""
    kernel = draw(st.one_of(st.integers(1, 4), st.integers(1, most_taps)))
    dilation = draw(st.integers(1, dilations))
    padding = draw(st.integers(0, kernel // 2))
    least = max(1, dilation * (kernel - 1) + 1 - 2 * padding)
    space = draw(st.one_of(st.integers(least, least + 3), st.integers(least, max(least, longest))))
    stride = draw(st.one_of(st.integers(1, 3), st.just(kernel), st.integers(1, kernel + 3)))
    return space, kernel, stride, padding, dilation


@st.composite
def adaptive_pools(draw):
    """Shape of an input and a number of parts for each axis, more than it has samples included."""
    rank = draw(st.sampled_from(RANKS))
    space = tuple(draw(st.integers(1, longest)) for longest in LONGEST[rank])
    parts = tuple(
        draw(st.one_of(st.none(), st.just(1), st.just(n), st.integers(1, n + 3))) for n in space
    )
    parts = draw(st.sampled_from([parts, list(parts), 1, parts[0] or 2]))
    shape = (draw(st.integers(1, 2)), draw(st.integers(1, 5)), *space)
    return rank, shape if draw(st.booleans()) else shape[1:], parts
