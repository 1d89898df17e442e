# SPDX-License-Identifier: BSD-3-Clause
"""Layers of many groups on small planes, which are packed whole: sizes around vectors and tiles."""

import cases
import numpy as np
import pytest

from pyconvc import nn
from pyconvc.reference import nn as reference

KERNELS = [(3, 3), (5, 5), (7, 7), (2, 9), (1, 4)]
STEPS = [{}, {"stride": 2}, {"stride": (3, 1)}, {"dilation": 2}, {"stride": 2, "dilation": 3}]


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sizes(kernel, steps, dtype):
    for size in (1, 2, 7, 8, 9, 14, 17, 33):
        options = {"padding": [k * 2 // 2 for k in kernel], "groups": 9, **steps}
        x, w = cases.random((2, 9, size + 1, size), dtype), cases.random((9, 1, *kernel), dtype, 1)
        if any(s + 2 * k < 3 * (k - 1) + 1 for s, k in zip(x.shape[2:], kernel, strict=True)):
            continue
        y = nn.conv2d(x, w, **options)
        cases.assert_same(y, reference.conv2d(x, w, **options), terms=w[0].size)
        got, want = (m.grad.conv2d_weight(x, w.shape, y, **options) for m in (nn, reference))
        cases.assert_same(got, want, terms=x[:, 0].size, scale=np.abs(want).max())


# Padding of each side, from what planes that are read as they are may have to what they may not.
SIDES = [
    ((1, 1), (1, 1)),
    ((0, 0), (0, 0)),
    ((0, 1), (0, 1)),
    ((2, 0), (1, 0)),
    ((1, 3), (2, 1)),
]


@pytest.mark.parametrize("padding", SIDES, ids=str)
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "int16", "uint8", "bool"])
def test_edges(dtype, stride, padding):
    """Widths around one and two vectors, with 3 x 3 taps."""
    for height, width in [(2, 64), (3, 7), (4, 8), (3, 9), (9, 13), (5, 16), (6, 17), (8, 35)]:
        x, w = cases.random((2, 3, height, width), dtype), cases.random((6, 1, 3, 3), dtype, 1)
        options = {"padding": padding, "stride": stride, "groups": 3}
        bias = cases.random((6,), dtype, 2)
        if height + sum(padding[0]) < 3:
            continue
        want = reference.conv2d(x, w, bias, **options)
        cases.assert_same(nn.conv2d(x, w, bias, **options), want, terms=9)


@pytest.mark.parametrize("padding", SIDES, ids=str)
@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_groups_of_few_channels(dtype, flip, padding):
    """Tiles side by side, one below the other, at either edge and at both; several blocks."""
    for channels, outputs in [(4, 4), (3, 8), (16, 12), (2, 5)]:
        for height, width in [(3, 8), (4, 9), (9, 24), (5, 31), (17, 50)]:
            x = cases.random((2, 3 * channels, height, width), dtype)
            w = cases.random((3 * outputs, channels, 3, 3), dtype, 1)
            bias = cases.random((3 * outputs,), dtype, 2)
            options = {"padding": padding, "groups": 3, "flip_filters": flip}
            y = nn.conv2d(x, w, bias, **options, method="direct")
            cases.assert_same(y, reference.conv2d(x, w, bias, **options), terms=w[0].size)
            plan = nn.plan(x.shape, w, bias, **options, method="direct")
            np.testing.assert_array_equal(plan(x), y)


FEW_ROWS = [
    ((200,), (4,), {"padding": ((3, 0),)}),
    ((77,), (31,), {"padding": 15, "stride": 2}),
    ((300,), (3,), {"padding": 4, "dilation": 4}),
    ((3100,), (3,), {"padding": 1}),
    ((5,), (3,), {"padding": 1, "stride": 2}),
    ((1, 65), (1, 9), {"padding": (0, 4)}),
    ((2, 130), (3, 5), {"padding": (1, 2)}),
    ((3, 97), (5, 3), {"padding": (2, 1)}),
    ((3, 40), (3, 3), {"padding": 2, "dilation": 2, "stride": (1, 2)}),
    ((2, 3, 100), (1, 1, 5), {"padding": (0, 0, 2)}),
]


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "int16", "uint8", "bool"])
@pytest.mark.parametrize(("space", "kernel", "options"), FEW_ROWS, ids=str)
def test_few_rows(space, kernel, options, dtype):
    """Planes of fewer rows than a tile, lines around tiles of vectors, of one channel and of two;
    neither workers nor the batch change an output, and nothing is written between them."""
    conv = cases.of_rank(nn, "conv", len(space))
    for channels, flip in [(1, False), (2, True)]:
        x = cases.random((2, 9 * channels, *space), dtype)
        w = cases.random((9 * channels, channels, *kernel), dtype, 1)
        bias = cases.random((9 * channels,), dtype, 2)
        all_options = {**options, "groups": 9, "flip_filters": flip}
        want = cases.of_rank(reference, "conv", len(space))(x, w, bias, **all_options)
        y = conv(x, w, bias, **all_options, workers=3)
        cases.assert_same(y, want, terms=w[0].size)
        one = conv(x[1:], w, bias, **all_options, workers=1)
        np.testing.assert_array_equal(one[0], y[1])
        gaps = np.full((*want.shape[:-1], want.shape[-1] + 3), 1, dtype)
        conv(x, w, bias, **all_options, out=gaps[..., :-3])
        np.testing.assert_array_equal(gaps[..., :-3], y)
        assert (gaps[..., -3:] == 1).all()


@pytest.mark.parametrize("mode", ["zeros", "circular", "reflect", "replicate"])
@pytest.mark.parametrize(
    "steps", [{}, {"stride": (2, 1, 1)}, {"dilation": (2, 1, 3)}, {"stride": (1, 2, 1)}], ids=str
)
@pytest.mark.parametrize("dtype", ["float32", "complex128", "int32"])
def test_kernels_along_the_depth(dtype, steps, mode):
    """One after the other and side by side in memory, lines with gaps between them."""
    for shape in [(2, 3, 8, 5, 7), (1, 3, 6, 1, 9), (1, 3, 5, 4, 16)]:
        x, w = cases.random(shape, dtype), cases.random((3, 1, 3, 1, 1), dtype, 1)
        bias = cases.random((3,), dtype, 2)
        options = {"padding": (2, 0, 0), "padding_mode": mode, "groups": 3, **steps}
        want = reference.conv3d(x, w, bias, **options)
        y = nn.conv3d(x, w, bias, **options, workers=2)
        cases.assert_same(y, want, terms=3)
        np.testing.assert_array_equal(nn.plan(x.shape, w, bias, **options)(x), y)
        gaps = np.full((*shape[:-1], shape[-1] + 2), 1, dtype)
        gaps[..., :-2] = x
        cases.assert_same(nn.conv3d(gaps[..., :-2], w, bias, **options), want, terms=3)
        last = np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)
        cases.assert_same(nn.conv3d(last, w, bias, **options), want, terms=3)


NARROW = [
    ((7, 7), (3, 3), {"padding": 1}),
    ((7, 7), (7, 7), {"padding": 3}),
    ((9, 5), (5, 5), {"padding": ((2, 4), (1, 3))}),
    ((40, 14), (5, 5), {"padding": 2}),
    ((6, 4), (3, 4), {"padding": (1, 2)}),
    ((3, 3), (5, 5), {"padding": 4}),
    ((15, 28), (5, 5), {"padding": 2, "stride": 2}),
    ((90, 56), (5, 5), {"padding": 2, "stride": 2}),
    ((5, 6), (3, 3), {"padding": 4}),
    ((8, 41), (3, 7), {"padding": ((0, 1), (0, 4)), "stride": (1, 3)}),
    ((14, 14), (3, 3), {"padding": 2, "dilation": 2}),
    ((21, 30), (3, 5), {"padding": 3, "stride": 2, "dilation": 3}),
    ((3, 6, 7), (3, 3, 3), {"padding": 1, "stride": (2, 1, 1)}),
    ((7,), (9,), {"padding": 4}),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("space", "kernel", "options"), NARROW, ids=str)
def test_narrow_planes(space, kernel, options, dtype):
    """Planes that are turned: whole vectors of channels and parts of one, several rows at once, out
    of and into arrays with gaps; neither workers nor the batch change an output."""
    conv = cases.of_rank(nn, "conv", len(space))
    for channels, flip in [(5, False), (19, True), (32, False)]:
        x, w = (
            cases.random((2, channels, *space), dtype),
            cases.random((channels, 1, *kernel), dtype, 1),
        )
        bias = cases.random((channels,), dtype, 2)
        all_options = {**options, "groups": channels, "flip_filters": flip}
        want = cases.of_rank(reference, "conv", len(space))(x, w, bias, **all_options)
        y = conv(x, w, bias, **all_options, workers=3)
        cases.assert_same(y, want, terms=w[0].size)
        one = conv(x[1:], w, bias, **all_options, workers=1)
        np.testing.assert_array_equal(one[0], y[1])
        gaps = np.full((*want.shape[:-1], want.shape[-1] + 3), 7, dtype)
        conv(x, w, bias, **all_options, out=gaps[..., :-3])
        cases.assert_same(gaps[..., :-3], want, terms=w[0].size)
        assert (gaps[..., -3:] == 7).all()
        every_second = np.repeat(x, 2, axis=1)[:, ::2]
        np.testing.assert_array_equal(conv(every_second, w, bias, **all_options), y)
        got, want = (
            getattr(m.grad, f"conv{len(space)}d_input")(x.shape, w, y, **all_options)
            for m in (nn, reference)
        )
        cases.assert_same(got, want, terms=w[0].size, scale=np.abs(want).max())


def test_narrow_planes_hide_nothing():
    """Infinite taps meet the zeros around a plane, what is not finite only its neighbours."""
    x, w = cases.random((1, 9, 7, 7), "float32"), cases.random((9, 1, 5, 5), "float32", 1)
    x[0, 2, 3, 3], x[0, 4, 6, 0], w[7, 0, 0, 2] = np.nan, np.inf, -np.inf
    options = {"padding": 2, "groups": 9}
    got, want = nn.conv2d(x, w, **options), reference.conv2d(x, w, **options)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
    np.testing.assert_array_equal(np.isposinf(got), np.isposinf(want))


@pytest.mark.parametrize("channels", [1, 4])
@pytest.mark.parametrize("stride", [1, 2])
def test_bits_of_planes_as_they_are(channels, stride):
    """Neither workers nor the batch nor the groups beside it change an output."""
    x = cases.random((2, 16 * channels, 64, 72), "float32")
    w = cases.random((16 * channels, channels, 3, 3), "float32", 1)
    options = {"padding": 1, "stride": stride, "method": "direct"}
    want = nn.conv2d(x, w, **options, groups=16, workers=1)
    np.testing.assert_array_equal(nn.conv2d(x, w, **options, groups=16, workers=3), want)
    part = slice(5 * channels, 7 * channels)
    got = nn.conv2d(x[1:, part], w[part], **options, groups=2, workers=2)
    np.testing.assert_array_equal(got[0], want[1, part])


@pytest.mark.parametrize("channels", [1, 4])
@pytest.mark.parametrize("stride", [1, 2])
def test_edges_hide_nothing(channels, stride):
    """What is not finite beside an edge is met there, and by no output beyond its taps."""
    x = cases.random((1, 2 * channels, 9, 26), "float32")
    x[0, 0, 0, 25] = x[0, 1, 8, 0] = np.inf
    x[0, -1, 4, 25] = np.nan
    w = cases.random((2 * channels, channels, 3, 3), "float32", 1)
    w[0, 0, 1, 0] = np.inf
    options = {"padding": 1, "stride": stride, "groups": 2}
    got = nn.conv2d(x, w, **options, method="direct")
    want = reference.conv2d(x, w, **options)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
    np.testing.assert_array_equal(np.isinf(got), np.isinf(want))


@pytest.mark.parametrize("width", [3, 7, 8, 13])
@pytest.mark.parametrize("taps", [3, 5, 7])
@pytest.mark.parametrize("stride", [1, 2])
def test_nothing_is_written_beyond_the_planes(width, taps, stride):
    x = cases.random((1, 8, 9 * stride, width * stride), "float32")
    w = cases.random((8, 1, taps, taps), "float32", 1)
    options = {"padding": taps // 2, "stride": stride, "groups": 8}
    want = reference.conv2d(x, w, **options)
    memory = np.full(want.size + 16, 7, np.float32)
    out = memory[: want.size].reshape(want.shape)
    nn.conv2d(x, w, **options, out=out)
    cases.assert_same(out, want, terms=taps * taps)
    assert (memory[want.size :] == 7).all()


@pytest.mark.parametrize("width", [5, 14, 20])
def test_infinity_stays_with_its_taps(width):
    x, y = (cases.random((1, 8, 9, width), "float32", seed) for seed in range(2))
    x[0, 3, 4, width - 2] = y[0, 5, 2, 1] = np.inf
    got = nn.grad.conv2d_weight(x, (8, 1, 3, 3), y, padding=1, groups=8)
    want = reference.grad.conv2d_weight(x, (8, 1, 3, 3), y, padding=1, groups=8)
    assert np.array_equal(np.isnan(got), np.isnan(want))
    assert np.array_equal(np.isinf(got), np.isinf(want))


# Space, kernel and options: tiles of outputs and less, blocks of columns, taps in several runs and
# classes, outputs in sets, lines far apart, several depths.
LAST = [
    ((9, 14), (3, 3), {"padding": 1}),
    ((15, 16), (7, 7), {"padding": 3}),
    ((14, 15), (5, 5), {"padding": 2, "stride": 2}),
    ((3, 400), (3, 9), {"padding": (1, 4), "stride": (1, 3)}),
    ((30, 33), (3, 3), {"padding": 3, "stride": 2, "dilation": 3}),
    ((12, 90), (2, 17), {"padding": (1, 20), "dilation": (5, 3)}),
    ((4, 9, 12), (2, 3, 2), {"padding": 1, "stride": (1, 2, 1)}),
    ((130,), (31,), {"padding": "same"}),
    ((6, 40), (3, 3), {"padding": 1}),
    ((5, 60), (3, 5), {"padding": ((1, 0), (0, 3)), "stride": 2}),
    ((4, 70), (1, 1), {"padding": 3, "stride": 2}),
    ((3, 50), (3, 3), {"padding": 7, "dilation": (2, 1)}),
    ((3, 4, 30), (2, 3, 2), {"padding": 1}),
]


@pytest.mark.parametrize("mode", ["zeros", "circular", "reflect", "replicate"])
@pytest.mark.parametrize(
    "dtype", ["float32", "float64", "complex64", "complex128", "uint8", "bool"]
)
@pytest.mark.parametrize(("space", "kernel", "options"), LAST, ids=str)
def test_channels_last(space, kernel, options, dtype, mode):
    """Whole vectors of channels, parts of one, and several blocks."""
    for channels in (5, 19, 64):
        x, w = (
            cases.random((2, channels, *space), dtype),
            cases.random((channels, 1, *kernel), dtype, 1),
        )
        bias = cases.random((channels,), dtype, 2)
        options = {**options, "groups": channels, "padding_mode": mode}
        want = cases.of_rank(reference, "conv", len(space))(x, w, bias, **options)
        memory = np.full(want.size + 64, 7, want.dtype)
        y = channels_last_in(memory, want.shape)
        conv = cases.of_rank(nn, "conv", len(space))
        conv(last(x), w, bias, **options, out=y)
        cases.assert_same(y, want, terms=w[0].size)
        assert (memory[want.size :] == memory[-1]).all()
        for i in range(2):
            one = last(np.empty_like(want[:1]))
            conv(last(x[i : i + 1]), w, bias, **options, out=one, workers=2)
            np.testing.assert_array_equal(one[0], y[i])


@pytest.mark.parametrize("dtype", ["float32", "complex128", "uint8"])
@pytest.mark.parametrize(
    ("space", "options"), [((4, 9), {}), ((3, 15), {"stride": 2}), ((5,), {})], ids=str
)
def test_channels_last_at_powers_of_two(space, options, dtype):
    """So many channels that samples would collide in the cache, and some more or less."""
    conv, kernel = cases.of_rank(nn, "conv", len(space)), (3,) * len(space)
    size = np.dtype(dtype).itemsize
    for channels in (2048 // size, 4096 // size - 3):
        x = cases.random((2, channels, *space), dtype)
        w = cases.random((channels, 1, *kernel), dtype, 1)
        bias = cases.random((channels,), dtype, 2)
        options = {**options, "padding": 1, "groups": channels}
        want = cases.of_rank(reference, "conv", len(space))(x, w, bias, **options)
        y = last(np.empty_like(want))
        conv(last(x), w, bias, **options, out=y, workers=3)
        cases.assert_same(y, want, terms=w[0].size)
        one = last(np.empty_like(want[:1]))
        conv(last(x[1:]), w, bias, **options, out=one, workers=1)
        np.testing.assert_array_equal(one[0], y[1])


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "complex128"])
def test_input_gradient_channels_last(dtype, flip):
    for stride in (1, 2):
        x, w = cases.random((2, 24, 11, 13), dtype), cases.random((24, 1, 3, 5), dtype, 1)
        options = {"padding": 1, "stride": stride, "groups": 24, "flip_filters": flip}
        g = reference.conv2d(x, w, **options)
        want = reference.grad.conv2d_input(x.shape, w, g, **options)
        out = last(np.empty_like(want))
        nn.grad.conv2d_input(x.shape, w, last(g), **options, out=out)
        cases.assert_same(out, want, terms=w[0].size)


def last(a):
    """The same samples, one channel beside the other."""
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(a, 1, -1)), -1, 1)


def channels_last_in(memory, shape):
    """An array of this shape at the begin of some memory, one channel beside the other."""
    batch, channels, *space = shape
    size = batch * channels * int(np.prod(space))
    return np.moveaxis(memory[:size].reshape(batch, *space, channels), -1, 1)
