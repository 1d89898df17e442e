"""convNd against the reference, PyTorch and hand-written numbers."""

import cases
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nn_cases import layers

import pyconvc
from pyconvc import nn
from pyconvc.reference import nn as reference

DTYPES = [*cases.DTYPES, np.dtype(np.float16)]


def both(layer, name, *arrays, **keywords):
    """A layer by pyconvc.nn and by its reference."""
    return [cases.of_rank(module, name, layer.rank)(*arrays, **keywords) for module in (nn, reference)]


@given(layers(), st.sampled_from(DTYPES), st.sampled_from([*cases.VIEWS]))
def test_matches_the_reference(layer, dtype, view):
    arrays = layer.arrays(dtype, view)
    got, want = both(layer, "conv", *arrays, **layer.options)
    cases.assert_same(got, want, terms=layer.terms, layer=layer, view=view)
