"""Factored convolutions against the dense one whose weight they factor."""

import cases
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from nn_cases import layers

from pyconvc import nn

DTYPES = [np.dtype(d) for d in (np.int32, np.float64, np.complex128, np.float16)]


def options_of(layer):
    """Keywords of a factored form."""
    return {name: value for name, value in layer.options.items() if name != "groups"}


def weights(rng, dtype, *shapes):
    """Random factors."""
    return [cases.values(rng, shape, dtype) for shape in shapes]


@given(layers(), st.sampled_from(DTYPES))
def test_depthwise_separable(layer, dtype):
    rng = np.random.default_rng(layer.seed)
    channels, multiplier, filters = layer.groups, layer.channels, layer.filters
    shape = (layer.batch, channels, *layer.space)
    x = cases.values(rng, shape if layer.batched else shape[1:], dtype)
    ones = (1,) * layer.rank
    depthwise, pointwise = weights(
        rng, dtype, (channels * multiplier, 1, *layer.taps), (filters, channels * multiplier, *ones)
    )
    bias = cases.values(rng, (filters,), dtype) if layer.biased else None
    got = cases.of_rank(nn, "depthwise_separable_conv", layer.rank)(
        x, depthwise, pointwise, bias, **options_of(layer)
    )
    by_channel = depthwise.reshape(channels, multiplier, *layer.taps)
    mixing = pointwise.reshape(filters, channels, multiplier)
    dense = np.einsum(
        "cm...,kcm->kc...", by_channel.astype(wide(dtype)), mixing.astype(wide(dtype))
    )
    compare(layer, got, x, dense, bias)


def wide(dtype):
    """What the dense weight is made in."""
    return np.float64 if dtype == np.float16 else dtype


def compare(layer, got, x, dense, bias):
    """With a dense convolution, in higher precision for float16."""
    want = cases.of_rank(nn, "conv", layer.rank)(
        x.astype(dense.dtype), dense, bias, **options_of(layer)
    )
    terms = 20 * dense[0].size
    cases.assert_same(got, want, x.dtype, terms=terms, layer=layer)


@given(layers(ranks=(2,)), st.sampled_from(DTYPES))
def test_spatially_separable(layer, dtype):
    rng = np.random.default_rng(layer.seed)
    x_shape = (layer.batch, layer.channels, *layer.space)
    x = cases.values(rng, x_shape if layer.batched else x_shape[1:], dtype)
    middle, filters = layer.groups, layer.filters
    vertical, horizontal = weights(
        rng,
        dtype,
        (middle, layer.channels, layer.taps[0], 1),
        (filters, middle, 1, layer.taps[1]),
    )
    bias = cases.values(rng, (filters,), dtype) if layer.biased else None
    got = nn.spatially_separable_conv2d(x, vertical, horizontal, bias, **options_of(layer))
    dense = np.einsum(
        "kmyj,mciz->kcij", horizontal.astype(wide(dtype)), vertical.astype(wide(dtype))
    )
    compare(layer, got, x, dense, bias)


@given(layers(ranks=(3,)), st.sampled_from(DTYPES))
def test_flattened(layer, dtype):
    rng = np.random.default_rng(layer.seed)
    x_shape = (layer.batch, layer.channels, *layer.space)
    x = cases.values(rng, x_shape if layer.batched else x_shape[1:], dtype)
    first, second, filters = layer.groups, layer.channels, layer.filters
    depth, height, width = weights(
        rng,
        dtype,
        (first, layer.channels, layer.taps[0], 1, 1),
        (second, first, 1, layer.taps[1], 1),
        (filters, second, 1, 1, layer.taps[2]),
    )
    bias = cases.values(rng, (filters,), dtype) if layer.biased else None
    got = nn.flattened_conv3d(x, depth, height, width, bias, **options_of(layer))
    d, h, w = (a.astype(wide(dtype)) for a in (depth, height, width))
    dense = np.einsum("kmj,mli,lch->kchij", w[:, :, 0, 0], h[:, :, 0, :, 0], d[..., 0, 0])
    compare(layer, got, x, dense, bias)


def test_padding_of_one_entry_counts_for_all_axes():
    x, vertical, horizontal = np.ones((1, 2, 5, 6)), np.ones((3, 2, 3, 1)), np.ones((4, 3, 1, 3))
    for padding in ([1], (1,), ("same",), [(1, 1)]):
        got = nn.spatially_separable_conv2d(x, vertical, horizontal, padding=padding)
        want = nn.spatially_separable_conv2d(x, vertical, horizontal, padding=1)
        np.testing.assert_array_equal(got, want)
