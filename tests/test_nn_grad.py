"""Gradients of layers against the reference, PyTorch, finite differences, and as adjoints."""

import cases
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nn_cases import layers, transposed_layers

DTYPES = [*cases.DTYPES, np.dtype(np.float16)]

dtypes = st.sampled_from(DTYPES)
views = st.sampled_from([*cases.VIEWS])


def gradient(layer, y, view):
    """A random gradient of an output."""
    return cases.VIEWS[view](np.random.default_rng(layer.seed + 1), y.shape, y.dtype)


@given(layers(), dtypes, views)
def test_convolution_matches_the_reference(layer, dtype, view):
    x, w, bias = layer.arrays(dtype, view)
    g = gradient(layer, layer.both("conv", x, w)[0], view)
    terms = 20 * layer.terms + g.size
    got, want = layer.both("conv", x.shape, w, g, suffix="_input")
    cases.assert_same(got, want, terms=terms, layer=layer, view=view, name="input")
    got, want = layer.both("conv", x, w.shape, g, suffix="_weight")
    cases.assert_same(got, want, terms=terms, layer=layer, view=view, name="weight")


@given(transposed_layers(), dtypes, views)
def test_transposed_matches_the_reference(layer, dtype, view):
    x, w, bias = layer.arrays(dtype, view, transposed=True)
    g = gradient(layer, layer.both("conv_transpose", x, w)[0], view)
    del layer.options["output_padding" if "output_padding" in layer.options else "output_size"]
    terms = 20 * layer.terms + g.size
    got, want = layer.both("conv_transpose", x.shape, w, g, suffix="_input")
    cases.assert_same(got, want, terms=terms, layer=layer, view=view, name="input")
    got, want = layer.both("conv_transpose", x, w.shape, g, suffix="_weight")
    cases.assert_same(got, want, terms=terms, layer=layer, view=view, name="weight")
