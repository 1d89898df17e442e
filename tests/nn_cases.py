"""Layers drawn by hypothesis: every argument of pyconvc.nn in every form."""

from dataclasses import dataclass, replace
from itertools import product

import cases
import numpy as np
import pytest
from hypothesis import assume
from hypothesis import strategies as st

from pyconvc import nn
from pyconvc.reference import nn as reference
from pyconvc.reference.nn._conv import pads

RANKS = [1, 2, 3]
MODES = ["zeros", "reflect", "replicate", "circular"]
NAMES = ["valid", "same", "same_lower", "full", "causal"]
LONGEST = {1: 40, 2: 12, 3: 5}
"""How much longer than the shortest an axis may be, by rank."""


MANY_CHANNELS = {
    "bands that overlap": ((2, 20, 40, 21), (20, 5, 3, 3), {"stride": 2, "padding": 1}),
    "bands apart": ((1, 18, 33, 17), (18, 6, 2, 2), {"stride": 2}),
    "pairs in whole vectors": ((1, 64, 9, 64), (64, 11, 1, 2), {"stride": (2, 2)}),
    "pairs, parts, groups": ((2, 340, 3, 71), (340, 5, 2, 2), {"groups": 2, "stride": 2}),
    "narrow lines": ((2, 340, 7, 13), (340, 5, 2, 2), {"groups": 2, "stride": 2}),
    "pairs in depth": ((1, 170, 5, 9, 7), (170, 7, 2, 1, 2), {"stride": 2, "flip_filters": True}),
    "pairs, cropped lines": ((1, 16, 9, 24), (16, 9, 2, 2), {"stride": 2, "padding": (1, 0)}),
    "pairs, more lines": ((1, 16, 9, 24), (16, 9, 2, 2), {"stride": 2, "output_padding": (1, 0)}),
    "twins": ((2, 70, 19, 33), (70, 11, 3, 3), {"stride": 2, "padding": 1, "output_padding": 1}),
    "twins, four taps": ((1, 33, 17, 18), (33, 5, 4, 4), {"stride": 2, "padding": (1, 2)}),
    "twins, groups": ((1, 32, 20, 21), (32, 7, 2, 4), {"groups": 2, "stride": (1, 2)}),
    "twins, more lines": ((1, 96, 16, 16), (96, 4, 5, 3), {"stride": (3, 2), "padding": (0, 2)}),
    "twins in depth": ((2, 16, 3, 14, 20), (16, 9, 1, 3, 4), {"stride": (1, 2, 2)}),
    "twins of long lines": ((1, 18, 1300), (18, 6, 4), {"stride": 2, "flip_filters": True}),
    "twins, cropped": ((1, 17, 18, 19), (17, 6, 4, 3), {"stride": 2, "padding": ((3, 0), (0, 2))}),
    "gaps": ((1, 17, 9, 10), (17, 7, 2, 2), {"stride": 3, "dilation": 2, "output_padding": (2, 1)}),
    "depth": ((1, 16, 5, 6, 7), (16, 6, 3, 2, 2), {"stride": 2, "dilation": (2, 1, 1)}),
    "depth apart": ((2, 24, 3, 4, 5), (24, 3, 2, 1, 3), {"stride": (2, 1, 3)}),
    "a long line": ((1, 16, 600), (16, 4, 8), {"stride": 4, "padding": 3}),
    "lines": ((3, 40, 130), (40, 9, 16), {"stride": 8, "padding": 4, "flip_filters": True}),
    "groups": ((2, 36, 8, 9), (36, 6, 4, 3), {"groups": 2, "stride": (1, 2), "padding": (2, 1)}),
    "channels in parts": ((1, 330, 6, 5), (330, 19, 5, 3), {"stride": (2, 3)}),
    "few pixels": ((2, 70, 7, 7), (70, 33, 3, 3), {"padding": 1}),
    "one tap": ((2, 60, 11, 13), (60, 23, 1, 1), {}),
    "one tap, from few channels": ((2, 3, 9, 11), (3, 37, 1, 1), {}),
    "one tap, to few channels": ((2, 37, 9, 11), (37, 3, 1, 1), {}),
    "one tap, groups": ((1, 20, 9, 11), (20, 9, 1, 1), {"groups": 4}),
    "one tap, more channels": ((1, 21, 14, 25), (21, 50, 1, 1), {}),
    "border": (
        (1, 17, 9, 9),
        (17, 3, 4, 3),
        {"stride": 2, "padding": 1, "padding_mode": "circular"},
    ),
    "cropped": ((1, 17, 9, 9), (17, 3, 4, 3), {"stride": 2, "padding": ((3, 0), (0, 4))}),
}
"""Transposed layers for which a kernel's tile is full, several tiles and rests of them."""


@dataclass(frozen=True)
class Layer:
    """Shapes of a convolution, and the keywords that pyconvc.nn and its reference share."""

    rank: int
    batch: int
    groups: int
    channels: int
    filters: int
    space: tuple
    taps: tuple
    options: dict
    batched: bool
    biased: bool
    seed: int

    @property
    def x_shape(self):
        """Shape of the input, with or without batch."""
        shape = (self.batch, self.groups * self.channels, *self.space)
        return shape if self.batched else shape[1:]

    @property
    def w_shape(self):
        """Shape of the filters."""
        return (self.groups * self.filters, self.channels, *self.taps)

    @property
    def terms(self):
        """Most products in one output, and the bias."""
        return max(self.channels, self.filters) * int(np.prod(self.taps)) + 1

    def arrays(self, dtype, view="contiguous", transposed=False):
        """Input, filters and bias (or None) of the convolution or of the transposed one."""
        rng = np.random.default_rng(self.seed)
        x_shape, outputs = self.x_shape, self.w_shape[0]
        if transposed:
            x_shape = (*self.x_shape[: -self.rank - 1], outputs, *self.space)
            outputs = self.groups * self.channels
        x, w = (cases.VIEWS[view](rng, shape, dtype) for shape in (x_shape, self.w_shape))
        return x, w, cases.values(rng, (outputs,), dtype) if self.biased else None

    def with_options(self, options):
        """The same layer under other keywords."""
        return replace(self, options=options)

    def both(self, name, *arrays, suffix="", **more):
        """What pyconvc.nn and the reference give; ``suffix`` that of a gradient."""
        modules = (nn.grad, reference.grad) if suffix else (nn, reference)
        functions = [cases.of_rank(module, name, self.rank, suffix) for module in modules]
        return [function(*arrays, **self.options, **more) for function in functions]


@st.composite
def layers(draw, ranks=tuple(RANKS), modes=tuple(MODES), names=tuple(NAMES), most_channels=3):
    """Strategy of Layer: pads and kernels beyond the input, all forms of every argument."""
    rank = draw(st.sampled_from(ranks))
    taps, dilation, stride = (
        tuple(draw(st.integers(1, most)) for _ in range(rank)) for most in (4, 3, 3)
    )
    reach = [d * (k - 1) for k, d in zip(taps, dilation, strict=True)]
    padding, added = draw(_paddings(rank, reach, names))
    space = tuple(
        max(1, r + 1 - a) + draw(st.one_of(st.integers(0, 3), st.integers(0, LONGEST[rank])))
        for r, a in zip(reach, added, strict=True)
    )
    options = {
        "stride": draw(_forms(stride)),
        "padding": padding,
        "dilation": draw(_forms(dilation)),
        "groups": draw(st.integers(1, 3)),
        "padding_mode": draw(st.sampled_from(modes)),
        "flip_filters": draw(st.booleans()),
    }
    return Layer(
        rank,
        batch=draw(st.integers(1, 3)),
        groups=options["groups"],
        channels=draw(st.integers(1, most_channels)),
        filters=draw(st.integers(1, most_channels)),
        space=space,
        taps=taps,
        options=options,
        batched=draw(st.booleans()),
        biased=draw(st.booleans()),
        seed=draw(st.integers(0, 2**32 - 1)),
    )


@st.composite
def _forms(draw, values):
    """One number for all axes where they are equal, else a sequence."""
    if len(set(values)) == 1 and draw(st.booleans()):
        return values[0]
    return draw(st.sampled_from([tuple, list]))(values)


@st.composite
def _paddings(draw, rank, reach, names):
    """An argument `padding`, and at least how many samples it adds to each axis."""
    how = draw(st.sampled_from(["number", "numbers", "pairs", "name"]))
    pad = st.one_of(st.integers(0, 3), st.integers(0, 12 // rank))
    if how == "number":
        number = draw(pad)
        return number, [2 * number] * rank
    if how == "numbers":
        numbers = tuple(draw(pad) for _ in range(rank))
        return numbers, [2 * number for number in numbers]
    if how == "pairs":
        pairs = tuple((draw(pad), draw(pad)) for _ in range(rank))
        return pairs, [sum(pair) for pair in pairs]
    name = draw(st.sampled_from(names))
    added = {"valid": 0, "full": 2, "causal": 1, "same": 1, "same_lower": 1}[name]
    return name, [added * r for r in reach]


@st.composite
def transposed_layers(draw):
    """Strategy of Layer for transposed convolutions: `space` is of their input."""
    layer = draw(layers(names=("valid", "full", "causal")))
    rank, options = layer.rank, dict(layer.options)
    stride, dilation = (np.broadcast_to(options[name], rank) for name in ("stride", "dilation"))
    most = np.maximum(stride, dilation)
    added = tuple(draw(st.integers(0, int(m) - 1)) for m in most)
    space = tuple(draw(st.integers(1, 2 + LONGEST[rank] // 2)) for _ in range(rank))
    output = transposed_size(space, layer.taps, stride, options["padding"], dilation, added)
    assume(min(output) > 0)
    if draw(st.booleans()):
        options["output_padding"] = added
    else:
        options["output_size"] = output
    return replace(layer, space=space, options=options)


def transposed_size(space, taps, stride, padding, dilation, added):
    """Size of a transposed convolution's output, written out."""
    ends = pads(padding, space, taps, stride, dilation)
    axes = zip(space, taps, stride, dilation, ends, added, strict=True)
    return tuple(int((n - 1) * s + d * (k - 1) + 1 - sum(e) + a) for n, k, s, d, e, a in axes)


def torch_on_one_thread():
    """PyTorch, or the test is skipped; on small arrays its threads wait for each other."""
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    return torch


def torch_options(rank, biases):
    """stride, padding, dilation, bias, batched: whatever PyTorch takes in a convolution."""
    strides = 1, 2, (2, 1, 3)[:rank]
    paddings = 0, 2, (1, 0, 2)[:rank], "valid", "same"
    dilations = 1, 2, (1, 2, 1)[:rank]
    for options in product(strides, paddings, dilations, biases, (True, False)):
        if options[:2] not in [(stride, "same") for stride in strides[1:]]:
            yield options
