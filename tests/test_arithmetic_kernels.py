"""Kernel algebra: against correlation by its definition, and linear algebra."""

import numpy as np
import pytest
from arithmetic_cases import given
from hypothesis import strategies as st

from pyconvc.arithmetic import (
    compose,
    conv_output_size,
    dilate,
    flip,
    mode_ranks,
    rank,
    separable_factors,
)


def correlate(x, w, stride=1, dilation=1):
    """Valid correlation of (channels, *space) with (out, in, *space), by its definition."""
    space = w.ndim - 2
    size = conv_output_size(x.shape[1:], w.shape[2:], stride, 0, dilation)
    y = np.zeros((w.shape[0], *size), np.result_type(x, w))
    for at in np.ndindex(*size):
        window = [
            slice(o * stride, o * stride + dilation * (k - 1) + 1, dilation)
            for o, k in zip(at, w.shape[2:], strict=True)
        ]
        patch = x[(slice(None), *window)]
        y[(slice(None), *at)] = np.tensordot(w, patch, axes=space + 1)
    return y


def apply(x, w, flip_filters, stride=1, dilation=1):
    w = flip(w, tuple(range(2, w.ndim))) if flip_filters else w
    return correlate(x, w, stride, dilation)


@given(
    st.integers(1, 2),
    st.integers(1, 2),
    st.integers(1, 2),
    st.integers(1, 2),
    st.integers(1, 2),
    st.booleans(),
    st.booleans(),
    st.integers(0, 99),
)
def test_composed_kernel_does_what_the_two_do(
    space, stride_a, dilation_a, stride_b, dilation_b, flip_a, flip_b, seed
):
    rng = np.random.default_rng(seed)
    a = rng.integers(-5, 5, (2, 3, *rng.integers(1, 4, space)))
    b = rng.integers(-5, 5, (3, 2, *rng.integers(1, 4, space)))
    x = rng.integers(-5, 5, (2, *rng.integers(16, 20, space)))
    two = apply(apply(x, b, flip_b, stride_b, dilation_b), a, flip_a, stride_a, dilation_a)
    one = compose(
        a,
        b,
        inner_stride=stride_b,
        outer_dilation=dilation_a,
        inner_dilation=dilation_b,
        flip_filters=(flip_a, flip_b),
        channels=True,
    )
    np.testing.assert_array_equal(apply(x, one, flip_a, stride_a * stride_b), two)


def test_compose_is_the_same_array_in_both_orientations():
    a, b = np.arange(6).reshape(2, 3), np.arange(1, 5).reshape(2, 2)
    np.testing.assert_array_equal(compose(a, b), compose(a, b, flip_filters=True))
    np.testing.assert_array_equal(compose(a, b), compose(b, a))
    np.testing.assert_array_equal(compose(a[0], b[0]), np.convolve(a[0], b[0]))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.complex64, object])
def test_compose_keeps_the_dtype(dtype):
    assert compose(np.ones(2, dtype), np.ones(3, dtype)).tolist() == [1, 2, 2, 1]
    assert compose(np.ones(2, dtype), np.ones(3, dtype)).dtype == dtype


def test_compose_refuses():
    with pytest.raises(ValueError, match="kernels of one rank, 1 or more"):
        compose([[1]], [1])
    with pytest.raises(ValueError, match="none may be empty"):
        compose([1], [])
    with pytest.raises(ValueError, match=r"takes 2 channels, but .* gives 3"):
        compose(np.ones((1, 2, 3)), np.ones((3, 1, 3)), channels=True)
    with pytest.raises(ValueError, match="inner_stride=0"):
        compose([1], [1], inner_stride=0)
    with pytest.raises(ValueError, match="flip_filters="):
        compose([1], [1], flip_filters=(True,))


def test_dilate_writes_zeros_between_the_taps():
    kernel = np.arange(1, 7).reshape(2, 3)
    written = dilate(kernel, (2, 3))
    assert written.shape == (3, 7)
    np.testing.assert_array_equal(written[::2, ::3], kernel)
    assert np.count_nonzero(written) == 6
    assert dilate(np.ones((4, 2, 3)), (1, 1, 2)).shape == (4, 2, 5)
    with pytest.raises(ValueError, match="dilation"):
        dilate(kernel, (1, 2, 3))
    with pytest.raises(ValueError, match="dilation=0"):
        dilate(kernel, 0)


def test_flip_turns_only_the_axes_asked_for():
    kernel = np.arange(8).reshape(2, 2, 2)
    np.testing.assert_array_equal(flip(kernel), kernel[::-1, ::-1, ::-1])
    np.testing.assert_array_equal(flip(kernel, (1, 2)), kernel[:, ::-1, ::-1])
    assert not np.shares_memory(flip(kernel), kernel)


def test_gradient_is_the_turned_kernel_over_the_padded_gradient():
    """The adjoint of valid correlation, taken from its matrix, against the 180-degree turn."""
    rng = np.random.default_rng(1)
    w, gy = rng.integers(-9, 9, (1, 1, 3, 2)), rng.integers(-9, 9, (1, 3, 4))
    units = np.eye(25, dtype=int).reshape(25, 1, 5, 5)
    matrix = np.stack([correlate(unit, w).ravel() for unit in units], axis=1)
    by_matrix = (matrix.T @ gy.ravel()).reshape(1, 5, 5)
    by_turn = correlate(np.pad(gy, ((0, 0), (2, 2), (1, 1))), flip(w, (2, 3)))
    np.testing.assert_array_equal(by_turn, by_matrix)
    np.testing.assert_array_equal(compose(gy[0], w[0, 0]), by_matrix[0])


NUMBERS = ["?", "i1", "i4", "u2", "i8", "u8", "f2", "f4", "f8", "c8", "c16"]


@pytest.mark.parametrize("dtype", NUMBERS)
@pytest.mark.parametrize("shape", [(7,), (3, 5), (2, 3, 4), (2, 1, 3, 2)])
def test_exact_products_are_found_in_every_dtype(dtype, shape):
    rng = np.random.default_rng(len(shape))
    wide = np.dtype(dtype)
    factors = [rng.integers(0, 4, n).astype(wide) for n in shape]
    if wide.kind in "if":
        factors = [f * rng.choice([-1, 1], f.shape).astype(wide) for f in factors]
    if wide.kind == "c":
        factors = [f + 1j * rng.integers(-3, 4, f.shape).astype(wide) for f in factors]
    for factor in factors:
        factor[0] = 1
    kernel = factors[0]
    for factor in factors[1:]:
        kernel = np.multiply.outer(kernel, factor)
    kernel = kernel.astype(wide)
    found = separable_factors(kernel)
    assert found.exact
    assert [factor.dtype for factor in found.factors] == [wide] * len(shape)
    np.testing.assert_array_equal(found.kernel, kernel)
    assert found.taps == sum(shape)
    assert rank(kernel) == 1


def test_extreme_values_stay_exact():
    big = np.array([[2**63, 0], [2**63 + 2**62, 0]], np.uint64)
    assert separable_factors(big).exact
    low = np.array([[-128, 64], [-64, 32]], np.int8)
    assert separable_factors(low).exact
    np.testing.assert_array_equal(separable_factors(low).kernel, low)
    tiny = np.outer([1.0, 3.0], [5e-324, 1e-323])
    assert separable_factors(tiny).exact
    box = np.full((5, 5), 1 / 25)
    assert separable_factors(box).exact
    for scale in (1e300, 1e-300):
        nearly = separable_factors(np.outer([0.1, 0.7], [0.3, 0.9]) * scale)
        assert (len(nearly.terms), nearly.error < 1e-15) == (1, True)
    assert separable_factors(np.outer([1.0, 2.0], [1e300, 1e-300])).error < 1e-15


def test_nearly_separable_is_one_term_and_not_called_exact():
    row = np.exp(-(np.linspace(-2, 2, 9) ** 2))
    found = separable_factors(np.outer(row, row))
    assert len(found.terms) == 1
    assert not found.exact
    assert 0 < found.error < 1e-15


@given(st.integers(0, 999))
def test_integer_rank_against_floats(seed):
    rng = np.random.default_rng(seed)
    low = rng.integers(-4, 5, (rng.integers(1, 6), 2)) @ rng.integers(-4, 5, (2, 5))
    assert rank(low) == np.linalg.matrix_rank(low)
    assert mode_ranks(low) == (rank(low),) * 2
    assert rank(low.astype(float)) == rank(low)
    assert rank(low + 1j * low) == rank(low)


def test_integer_rank_is_exact_where_floats_are_not():
    nearly = np.array([[2**40, 2**40 + 1], [2**40 - 1, 2**40]])
    assert rank(nearly) == 2
    assert rank(nearly.astype(float)) == 1
    assert rank(nearly, tol=1e-10) == 1
    assert not separable_factors(nearly).exact


def test_rank_of_more_axes():
    identity = np.zeros((2, 2, 3), int)
    identity[0, 0, 0] = identity[1, 1, 2] = 1
    assert mode_ranks(identity) == (2, 2, 2)
    assert rank(np.zeros((3, 3))) == 0
    assert rank([1, 2]) == 1
    assert mode_ranks(np.multiply.outer([1.0, 2], np.eye(3))) == (1, 3, 3)


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (3, 5, 4), (2, 3, 2, 4)])
@pytest.mark.parametrize("dtype", ["i4", "f4", "f8", "c16"])
def test_low_rank_sums_report_their_error(shape, dtype):
    rng = np.random.default_rng(7)
    kernel = (rng.normal(size=shape) * 100).astype(dtype)
    if kernel.dtype.kind == "c":
        kernel += 1j * rng.normal(size=shape)
    previous = 0
    for tol in (0.9, 0.5, 0.2, None):
        found = separable_factors(kernel, tol)
        error = np.linalg.norm(found.kernel - kernel) / np.linalg.norm(kernel)
        assert found.error == pytest.approx(error, rel=1e-3, abs=1e-6)
        assert error <= (tol or 1e-5)
        assert len(found.terms) >= previous
        previous = len(found.terms)
        assert all(
            f.shape == (n,) for term in found.terms for f, n in zip(term, shape, strict=True)
        )


def test_matrix_terms_are_the_best_possible():
    kernel = np.random.default_rng(3).normal(size=(7, 5))
    singular = np.linalg.svd(kernel, compute_uv=False)
    tail = np.sqrt(np.cumsum(singular[::-1] ** 2)[::-1]) / np.linalg.norm(singular)
    for terms in (1, 2, 3, 4):
        found = separable_factors(kernel, tol=tail[terms] * (1 + 1e-12))
        assert len(found.terms) == terms
        assert found.error == pytest.approx(tail[terms])


def test_zeros_need_no_terms():
    found = separable_factors(np.zeros((2, 3)))
    assert (found.terms, found.exact, found.taps) == ((), True, 0)
    np.testing.assert_array_equal(found.kernel, np.zeros((2, 3)))
    with pytest.raises(ValueError, match="needs 0 terms"):
        found.factors  # noqa: B018


@pytest.mark.parametrize("function", [rank, mode_ranks, separable_factors])
def test_kernel_values_that_have_no_rank(function):
    with pytest.raises(ValueError, match="not finite"):
        function([[1.0, np.nan]])
    with pytest.raises(ValueError, match=r"shape \(0, 3\)"):
        function(np.ones((0, 3)))
    with pytest.raises(ValueError, match=r"shape \(\)"):
        function(3.0)
    with pytest.raises(TypeError, match="dtype object"):
        function(np.array([[None]]))
    with pytest.raises(ValueError, match="tol=-1"):
        function([[1.0]], tol=-1)
