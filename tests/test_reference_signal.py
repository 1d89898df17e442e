"""The signal twins against scipy.signal and hand-written numbers."""

import itertools

import cases
import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st

from pyconvc.reference import signal

ORDERS = ["in1 first", "in2 first"]
DIRECT = [d for d in cases.DTYPES if d.kind != "b"]


def inputs(shapes, order, dtypes=(float, float)):
    """Two random arrays, exchanged for the second order."""
    rng = np.random.default_rng(7)
    pair = [cases.values(rng, shape, dtype) for shape, dtype in zip(shapes, dtypes, strict=True)]
    return pair if order == ORDERS[0] else pair[::-1]


def outcome(function, *args, **keywords):
    """The result, or the type of the exception."""
    try:
        return function(*args, **keywords)
    except ValueError as error:
        return type(error)


def assert_same_outcome(got, want, **context):
    """Equal results, or exceptions of one type."""
    if isinstance(want, type):
        assert got is want, context
    else:
        cases.assert_same(got, want, **context)


@pytest.mark.parametrize(
    ("function", "mode", "in1", "in2", "expected"),
    [
        ("convolve", "full", [1, 2, 4], [1, 10], [1, 12, 24, 40]),
        ("convolve", "same", [1, 2, 4], [1, 10], [1, 12, 24]),
        ("convolve", "valid", [1, 2, 4], [1, 10], [12, 24]),
        ("convolve", "same", [1, 10], [1, 2, 4], [12, 24]),
        ("convolve", "valid", [1, 10], [1, 2, 4], [12, 24]),
        ("correlate", "full", [1, 2, 4], [1, 10], [10, 21, 42, 4]),
        ("correlate", "same", [1, 2, 4], [1, 10], [10, 21, 42]),
        ("correlate", "valid", [1, 2, 4], [1, 10], [21, 42]),
        ("correlate", "valid", [1, 10], [1, 2, 4], [42, 21]),
        ("correlate", "full", [1], [1j], [-1j]),
        ("correlate2d", "same", [[1, 2, 4]], [[1, 10]], [[21, 42, 4]]),
        ("convolve2d", "same", [[1, 2, 4]], [[1, 10]], [[1, 12, 24]]),
    ],
)
def test_by_hand(function, mode, in1, in2, expected):
    assert getattr(signal, function)(in1, in2, mode).tolist() == expected


@pytest.mark.parametrize("fillvalue", [0, 3])
@pytest.mark.parametrize("boundary", ["fill", "wrap", "symm"])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("mode", cases.MODES)
@pytest.mark.parametrize("function", ["convolve2d", "correlate2d"])
def test_two_dimensions(function, mode, order, boundary, fillvalue):
    for shapes in cases.shape_pairs(2):
        for dtypes in [(float, float), (complex, complex), (np.uint8, np.int16)]:
            a, b = inputs(shapes, order, dtypes)
            arguments = mode, boundary, fillvalue
            want = outcome(getattr(scipy.signal, function), a, b, *arguments)
            got = outcome(getattr(signal, function), a, b, *arguments)
            assert_same_outcome(got, want, shapes=shapes, dtypes=dtypes)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("mode", cases.MODES)
@pytest.mark.parametrize("function", ["convolve", "correlate"])
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # scipy casts raw memory
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_any_rank(rank, function, mode, order):
    for shapes in cases.shape_pairs(rank):
        for dtypes in [(float, float), (complex, np.float32), (np.int8, np.int8)]:
            a, b = inputs(shapes, order, dtypes)
            want = outcome(getattr(scipy.signal, function), a, b, mode, "direct")
            got = outcome(getattr(signal, function), a, b, mode)
            assert_same_outcome(got, want, shapes=shapes, dtypes=dtypes)


@pytest.mark.parametrize("mode", cases.MODES)
@pytest.mark.parametrize("function", ["convolve", "correlate"])
def test_dtypes(function, mode):
    for dtypes in itertools.product(DIRECT, DIRECT):
        a, b = inputs([(5,), (4,)], ORDERS[0], dtypes)
        want = getattr(scipy.signal, function)(a, b, mode, "direct")
        got = getattr(signal, function)(a, b, mode)
        cases.assert_same(got, want, scale=float(np.abs(want).max()), dtypes=dtypes)


@pytest.mark.parametrize("boundary", ["wrap", "symm"])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("mode", cases.MODES)
@pytest.mark.parametrize("name", ["convolve", "correlate"])
def test_boundaries_at_any_rank_agree_with_two_dimensions(name, mode, order, boundary):
    for shapes in cases.shape_pairs(2):
        a, b = inputs(shapes, order)
        want = outcome(getattr(scipy.signal, name + "2d"), a, b, mode, boundary)
        got = outcome(getattr(signal, name), a, b, mode, boundary=boundary)
        assert_same_outcome(got, want, shapes=shapes)
        if not isinstance(want, type):
            deep = getattr(signal, name)(a[None], b[None], mode, boundary=boundary, axes=(1, 2))
            cases.assert_same(deep[0], want)


def test_boundary_for_each_axis():
    a, b = np.arange(12).reshape(3, 4), np.arange(9).reshape(3, 3)
    padded = np.pad(np.pad(a, [(1, 1), (0, 0)], "wrap"), [(0, 0), (1, 1)], "symmetric")
    want = scipy.signal.convolve2d(padded, b, "valid")
    cases.assert_same(signal.convolve(a, b, "same", boundary=("wrap", "symm")), want)


@pytest.mark.parametrize("mode", cases.MODES)
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("function", ["fftconvolve", "oaconvolve"])
def test_fourier(function, order, mode):
    shapes = [
        ((6, 5), (3, 2)),
        ((6, 5), (1, 2)),
        ((1, 5), (4, 2)),
        ((1, 5), (1, 2)),
        ((4, 5), (4, 2)),
        ((1, 1),) * 2,
    ]
    dtypes = [np.float16, np.float32, float, complex, np.complex64, np.int8, bool]
    for pair, kinds in itertools.product(shapes, itertools.product(dtypes, dtypes)):
        a, b = inputs(pair, order, kinds)
        for axes in (None, 1, [-1], (1, 0)):
            broadcast = mode == "same" and axes in (1, [-1]) and len(a) < len(b)
            if broadcast:
                continue  # scipy 1.17 cuts the rows of the result to those of in1
            want = outcome(getattr(scipy.signal, function), a, b, mode, axes)
            got = outcome(getattr(signal, function), a, b, mode, axes)
            halves = {np.float16, np.float32, np.complex64}.intersection(kinds)
            precision = np.float32 if halves else np.float64  # of the transforms
            context = {"shapes": pair, "dtypes": kinds, "axes": axes}
            assert_same_outcome(got, want, precision=precision, **context)


def test_fourier_same_keeps_rows_that_broadcast():
    a, b = inputs([(1, 9), (4, 3)], ORDERS[0])
    got = signal.fftconvolve(a, b, "same", axes=1)
    cases.assert_same(got, np.array([np.convolve(a[0], row, "same") for row in b]))
    assert signal.fftconvolve(np.ones((1, 4)), np.ones((3, 1)), "same").shape == (1, 4)


def test_fourier_of_nothing():
    for function in (signal.fftconvolve, signal.oaconvolve):
        cases.assert_same(function([], [1]), np.array([]))
        cases.assert_same(function(np.ones((2, 0)), np.ones((1, 1))), np.array([]))


@settings(deadline=None, max_examples=60)
@given(cases.signal_calls(ranks=(1, 2)), st.sampled_from(["convolve", "correlate"]))
def test_random_shapes(call, name):
    a, b = call.arrays(float, float)
    want = getattr(scipy.signal, name)(a, b, call.mode, "direct")
    cases.assert_same(getattr(signal, name)(a, b, call.mode), want, terms=call.terms)


@pytest.mark.parametrize("mode", cases.MODES)
@pytest.mark.parametrize("n,k", cases.SIZES)
def test_rows_by_themselves(n, k, mode):
    rng = np.random.default_rng(3)
    a, v = rng.standard_normal((4, 3, n)), rng.standard_normal((4, 1, k))
    one = np.array([[scipy.signal.convolve(row, v[0, 0], mode) for row in m] for m in a])
    each = np.array(
        [[scipy.signal.convolve(r, f[0], mode) for r in m] for m, f in zip(a, v, strict=True)]
    )
    cases.assert_same(signal.convolve1d(a, v[0, 0], mode=mode), one)
    cases.assert_same(signal.convolve1d(a, v, mode=mode), each)
    middle = signal.convolve1d(np.moveaxis(a, -1, 1), v[0, 0], axis=1, mode=mode)
    cases.assert_same(middle, np.moveaxis(one, -1, 1))
    bank = signal.convolve1d(a[0, 0], v[:, 0], mode=mode)
    cases.assert_same(
        bank,
        each[:, 0]
        if len(v) == 1
        else np.array([scipy.signal.convolve(a[0, 0], f[0], mode) for f in v]),
    )


@pytest.mark.parametrize("boundary", ["fill", "wrap", "symm"])
@pytest.mark.parametrize("mode", cases.MODES)
def test_rows_with_boundary(mode, boundary):
    rng = np.random.default_rng(3)
    a, v = rng.standard_normal((4, 7)), rng.standard_normal(4)
    want = scipy.signal.convolve2d(a, v[None], mode, boundary, 2)
    cases.assert_same(signal.convolve1d(a, v, -1, mode, boundary, 2), want[: len(a)])


@pytest.mark.parametrize("mode", cases.MODES)
def test_lags(mode):
    for n, k in itertools.product(range(1, 8), range(1, 8)):
        want = scipy.signal.correlation_lags(n, k, mode)
        cases.assert_same(signal.correlation_lags(n, k, mode), want)


@pytest.mark.parametrize("function", ["convolve", "correlate", "fftconvolve", "oaconvolve"])
def test_scalars(function):
    assert getattr(signal, function)(2, 3) == 6
    assert getattr(signal, function)(2, 1j) == getattr(scipy.signal, function)(2, 1j)


@pytest.mark.parametrize("function", ["convolve", "correlate", "convolve2d", "fftconvolve"])
def test_wrong_arguments(function):
    call = getattr(signal, function)
    with pytest.raises(ValueError, match="rank"):
        call(np.ones((2, 2)), np.ones(2))
    with pytest.raises(ValueError, match="mode='middle'"):
        call(np.ones((2, 2)), np.ones((2, 2)), "middle")
    with pytest.raises(ValueError, match="mode='valid'"):
        call(np.ones((2, 3)), np.ones((3, 2)), "valid")


@pytest.mark.parametrize("name", ["convolve", "correlate", "convolve2d", "correlate2d"])
def test_valid_with_the_larger_array_second_reads_nothing_beyond_it(name):
    """Outputs whose window lacks the NaN do not see it."""
    small, large = np.ones((2, 3)), np.arange(30.0).reshape(5, 6)
    call = getattr(signal, name)
    want = call(small, large, "valid")
    large[0, 0] = np.nan
    got = call(small, large, "valid")
    assert got.shape == (4, 4) and np.isnan(got).sum() == 1
    seen = ~np.isnan(got)
    np.testing.assert_array_equal(got[seen], want[seen])
