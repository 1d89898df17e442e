"""Arrays stored in one dtype and computed in another: whatever the pieces, the same numbers."""

import cases
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nn_cases import layers, transposed_layers

from pyconvc import nn
from pyconvc.nn import _storage, grad

HALF = np.dtype(np.float16)
BYTES = [1, 300, 2000, 10_000]


@pytest.fixture(autouse=True, scope="module")
def restored():
    """The size of a piece as it was."""
    before = _storage.CONVERTED_BYTES
    yield
    _storage.CONVERTED_BYTES = before


def in_pieces(call, size):
    """What a call gives with pieces of that size, and with pieces of any size."""
    results = []
    for _storage.CONVERTED_BYTES in (size, 1 << 30):
        results.append(call())
    return results


@given(layers(), st.sampled_from(BYTES), st.sampled_from(["direct", "gemm", "fft"]))
def test_convolution(layer, size, method):
    arrays = layer.arrays(HALF)
    conv = cases.of_rank(nn, "conv", layer.rank)
    got, want = in_pieces(lambda: conv(*arrays, **layer.options, method=method), size)
    cases.assert_same(got, want, terms=2, layer=layer)


@given(layers(), st.sampled_from(BYTES))
def test_gradients(layer, size):
    x, w, _ = layer.arrays(HALF)
    g = cases.random(layer.both("conv", x, w)[1].shape, HALF, layer.seed)
    for suffix, a, b in (("_input", x.shape, w), ("_weight", x, w.shape)):
        call = cases.of_rank(grad, "conv", layer.rank, suffix)
        got, want = in_pieces(lambda: call(a, b, g, **layer.options), size)  # noqa: B023
        cases.assert_same(got, want, terms=4, layer=layer, name=suffix)


@given(transposed_layers(), st.sampled_from(BYTES))
def test_transposed(layer, size):
    arrays = layer.arrays(HALF, transposed=True)
    call = cases.of_rank(nn, "conv_transpose", layer.rank)
    got, want = in_pieces(lambda: call(*arrays, **layer.options), size)
    cases.assert_same(got, want, terms=2, layer=layer)


@given(layers(), st.sampled_from(BYTES))
def test_out_of_an_unaligned_array(layer, size):
    """Nothing is converted, but nothing can be written in place either."""
    arrays = layer.arrays(np.float64)
    conv = cases.of_rank(nn, "conv", layer.rank)
    want = conv(*arrays, **layer.options)
    out = cases.VIEWS["unaligned"](np.random.default_rng(0), want.shape, want.dtype)
    got, _ = in_pieces(lambda: conv(*arrays, **layer.options, out=out), size)
    cases.assert_same(np.array(got), want, terms=2)


@given(layers(), st.sampled_from(BYTES))
def test_complex_weight_gradient(layer, size):
    """It is conjugated in pieces."""
    x, w, _ = layer.arrays(np.complex128)
    g = cases.random(layer.both("conv", x, w)[1].shape, complex, layer.seed)
    call = cases.of_rank(grad, "conv", layer.rank, "_weight")
    got, want = in_pieces(lambda: call(x, w.shape, g, **layer.options), size)
    cases.assert_same(got, want, terms=g.size, layer=layer)
