"""conv_transposeNd against the reference, PyTorch, hand-written numbers, and as an adjoint."""

import cases
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nn_cases import transposed_layers

DTYPES = [*cases.DTYPES, np.dtype(np.float16)]


@given(transposed_layers(), st.sampled_from(DTYPES), st.sampled_from([*cases.VIEWS]))
def test_matches_the_reference(layer, dtype, view):
    arrays = layer.arrays(dtype, view, transposed=True)
    got, want = layer.both("conv_transpose", *arrays)
    cases.assert_same(got, want, terms=20 * layer.terms, layer=layer, view=view)
