"""convNd against the reference, PyTorch and hand-written numbers."""

import cases
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nn_cases import layers

DTYPES = [*cases.DTYPES, np.dtype(np.float16)]


@given(layers(), st.sampled_from(DTYPES), st.sampled_from([*cases.VIEWS]))
def test_matches_the_reference(layer, dtype, view):
    got, want = layer.both("conv", *layer.arrays(dtype, view))
    cases.assert_same(got, want, terms=layer.terms, layer=layer, view=view)
