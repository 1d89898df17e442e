"""Pools against the reference and hand-written numbers."""

import math
from dataclasses import replace

import cases
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pool_cases import RANKS, adaptive_pools, pools

from pyconvc import _core, nn
from pyconvc.reference import nn as reference

REAL = [*cases.INTEGERS, *cases.FLOATS, np.dtype(np.float16)]
AVERAGED = [*REAL, *cases.COMPLEXES]
COMPARED = [*REAL, np.dtype(bool)]
WRITABLE = ["contiguous", "fortran", "negative", "stepped", "channels_last", "unaligned"]

views = st.sampled_from([*cases.VIEWS])


def scale(x):
    """Largest finite magnitude, for sums of roundings."""
    return max(1.0, float(np.abs(x.astype(complex)).max(initial=0)))


@given(pools(dilations=1), st.sampled_from(AVERAGED), views)
def test_average(pool, dtype, view):
    x = pool.array(dtype, view)
    got, want = pool.both("avg_pool", x, *pool.average())
    cases.assert_same(got, want, terms=pool.taps, scale=scale(x), pool=pool, view=view)


@given(pools(), st.sampled_from(COMPARED), views)
def test_maximum(pool, dtype, view):
    x = pool.array(dtype, view, ties=True)
    got, want = pool.both("max_pool", x, *pool.maximum())
    np.testing.assert_array_equal(got, want)
    assert got.dtype == want.dtype
    with_indices = pool.both("max_pool", x, *pool.maximum(), return_indices=True)
    for got, want in zip(*with_indices, strict=True):
        np.testing.assert_array_equal(got, want)
        assert got.dtype == want.dtype


@given(pools(), st.sampled_from([np.float32, np.float64, np.float16]), st.data())
def test_maximum_with_nan(pool, dtype, data):
    x = pool.array(dtype, ties=True)
    some = data.draw(st.integers(2, 40))
    x[np.random.default_rng(pool.seed).integers(0, some, x.shape) == 0] = np.nan
    got, want = pool.both("max_pool", x, *pool.maximum(), return_indices=True)
    np.testing.assert_array_equal(got[0], want[0])
    np.testing.assert_array_equal(got[1], want[1])
    np.testing.assert_array_equal(
        cases.of_rank(nn, "max_pool", pool.rank)(x, *pool.maximum()), want[0]
    )


@given(pools(dilations=1), st.sampled_from([np.float32, np.float64, np.complex128, np.float16]))
def test_nan_and_infinities_stay_local(pool, dtype):
    """One of them reaches the averages of its windows; all others have the bits they had before."""
    x = pool.array(dtype)
    call = cases.of_rank(nn, "avg_pool", pool.rank)
    before = call(x, *pool.average())
    rng = np.random.default_rng(pool.seed)
    at = tuple(rng.integers(0, n) for n in x.shape)
    where = np.zeros(x.shape)
    where[at] = 1
    touched = reference_windows(pool, where) != 0
    for value in (np.nan, np.inf, -np.inf):
        x[at] = value
        after = call(x, *pool.average())
        assert after[~touched].tobytes() == before[~touched].tobytes()
        assert not np.isfinite(after[touched]).any()


def reference_windows(pool, x):
    """Sums of windows."""
    window = pool.kernel, pool.stride, pool.padding, pool.ceil_mode, True, 1
    return cases.of_rank(reference, "avg_pool", pool.rank)(x, *window)


@given(adaptive_pools(), st.sampled_from(AVERAGED), views)
def test_adaptive_average(pool, dtype, view):
    rank, shape, parts = pool
    x = cases.VIEWS[view](np.random.default_rng(7), shape, dtype)
    got, want = (cases.of_rank(m, "adaptive_avg_pool", rank)(x, parts) for m in (nn, reference))
    cases.assert_same(got, want, terms=x[0].size, scale=scale(x), shape=shape, parts=parts)


@given(adaptive_pools(), st.sampled_from(COMPARED), views)
def test_adaptive_maximum(pool, dtype, view):
    rank, shape, parts = pool
    x = np.round(cases.VIEWS[view](np.random.default_rng(7), shape, dtype))
    functions = [cases.of_rank(m, "adaptive_max_pool", rank) for m in (nn, reference)]
    got, want = (f(x, parts, return_indices=True) for f in functions)
    np.testing.assert_array_equal(got[0], want[0])
    np.testing.assert_array_equal(got[1], want[1])
    np.testing.assert_array_equal(nn_maximum_alone(functions[0], x, parts), want[0])


def nn_maximum_alone(function, x, parts):
    """Without indices, which other kernels compute."""
    y = function(x, parts)
    assert isinstance(y, np.ndarray)
    return y


NORMS = [1, 2, 3, 0.5, 2.5, -1, np.inf, -np.inf]


@given(
    pools(dilations=1), st.sampled_from(NORMS), st.sampled_from(["f4", "f8", "c16", "i4"]), views
)
def test_power_average(pool, norm, dtype, view):
    x = pool.array(dtype, view)
    x = np.abs(x) / 2**31 + 0.5 if norm in (0.5, 2.5, -1) or dtype == "i4" else x
    arguments = norm, pool.kernel, pool.stride, pool.ceil_mode
    assume(all(n >= k for n, k in zip(pool.space, pool.kernel, strict=True)))
    with np.errstate(all="ignore"):
        got, want = pool.both("lp_pool", x, *arguments)
    if norm == 3:  # the root of a small sum of positive and negative cubes
        got, want = got**3, want**3
    size = scale(x) ** (3 if norm == 3 else 1) * max(
        1, np.abs(want[np.isfinite(want)]).max(initial=0)
    )
    cases.assert_same(got, want, terms=100 * pool.taps, scale=size, pool=pool, norm=norm)


def test_power_average_of_integers_is_double():
    y = nn.lp_pool1d([[3, 4]], 2, 2)
    cases.assert_same(y, np.array([[5.0]]))


@given(pools(), st.sampled_from([*AVERAGED, np.dtype(bool)]), views)
def test_unpool(pool, dtype, view):
    rng = np.random.default_rng(pool.seed)
    x = pool.array(dtype, view)
    numbers = list(zip(pool.space, pool.stride, pool.padding, pool.kernel, strict=True))
    default = tuple((n - 1) * s - 2 * p + k for n, s, p, k in numbers)
    space = tuple(max(1, m + 1 - s) for m, s in zip(default, pool.stride, strict=True))
    space = default if min(default) > 0 and pool.seed % 2 else space
    assume(all(abs(n - m) < s for n, m, s in zip(space, default, pool.stride, strict=True)))
    index = rng.integers(0, math.prod(space), x.shape)
    sizes = None if space == default else space, space, (*x.shape[: -pool.rank], *space)
    arguments = index, pool.kernel, pool.stride, pool.padding, sizes[pool.seed % 3]
    got, want = pool.both("max_unpool", x, *arguments)
    np.testing.assert_array_equal(got, want)
    assert got.dtype == dtype


@given(pools(dilations=1), st.sampled_from([8, 13, 37]), st.sampled_from(AVERAGED))
def test_average_of_channels_side_by_side(pool, channels, dtype):
    pool = replace(pool, channels=channels, batched=True)
    x = pool.array(dtype, "channels_last")
    got, want = pool.both("avg_pool", x, *pool.average())
    cases.assert_same(got, want, terms=pool.taps, scale=scale(x), pool=pool)
    y = cases.VIEWS["channels_last"](np.random.default_rng(0), want.shape, got.dtype)
    cases.of_rank(nn, "avg_pool", pool.rank)(x, *pool.average(), out=y, workers=2)
    np.testing.assert_array_equal(y, got)


@given(pools(), st.sampled_from([8, 13, 37]), st.sampled_from(COMPARED))
def test_maximum_of_channels_side_by_side(pool, channels, dtype):
    pool = replace(pool, channels=channels, batched=True)
    x = pool.array(dtype, "channels_last", ties=True)
    got, want = pool.both("max_pool", x, *pool.maximum())
    np.testing.assert_array_equal(got, want)
    y = cases.VIEWS["channels_last"](np.random.default_rng(0), want.shape, got.dtype)
    cases.of_rank(nn, "max_pool", pool.rank)(x, *pool.maximum(), out=y, workers=2)
    np.testing.assert_array_equal(y, want)


@pytest.mark.parametrize("parts", [(3, 5), (4, 4), (1, 1)])
def test_adaptive_pools_of_channels_side_by_side(parts):
    x = cases.VIEWS["channels_last"](np.random.default_rng(0), (2, 19, 8, 12), np.float32)
    for name in ("adaptive_avg_pool2d", "adaptive_max_pool2d"):
        got, want = (getattr(module, name)(x, parts) for module in (nn, reference))
        cases.assert_same(got, want, terms=100)


@given(pools(), st.sampled_from([np.float32, np.uint8, np.float16]), st.sampled_from(WRITABLE))
def test_out_in_any_layout_and_inputs_as_they_were(pool, dtype, view):
    x = pool.array(dtype)
    before = x.copy()
    call = cases.of_rank(nn, "max_pool", pool.rank)
    want, where = call(x, *pool.maximum(), return_indices=True)
    rng = np.random.default_rng(0)
    y, index = (cases.VIEWS[view](rng, want.shape, t) for t in (dtype, np.int64))
    got = call(x, *pool.maximum(), return_indices=True, out=(y, index))
    assert got[0] is y
    assert got[1] is index
    np.testing.assert_array_equal(y, want)
    np.testing.assert_array_equal(index, where)
    y = cases.VIEWS[view](rng, want.shape, dtype)
    assert call(x, *pool.maximum(), out=y) is y
    np.testing.assert_array_equal(y, want)
    np.testing.assert_array_equal(x, before)


@given(pools(dilations=1), st.sampled_from([np.float32, np.int16]), st.integers(2, 5))
def test_same_bits_for_any_workers_and_any_part_of_the_batch(pool, dtype, workers):
    x = pool.array(dtype)
    call = cases.of_rank(nn, "avg_pool", pool.rank)
    want = call(x, *pool.average(), workers=1)
    assert call(x, *pool.average(), workers=workers).tobytes() == want.tobytes()
    channel = (slice(None), slice(1)) if pool.batched else slice(1)
    assert call(x[channel], *pool.average()).tobytes() == want[channel].tobytes()


@pytest.mark.parametrize(
    ("shape", "kernel", "stride"),
    [((4, 64, 112, 112), 3, 2), ((1, 3, 700, 900), 31, 1), ((2, 8, 8, 900), (5, 300), (1, 7))],
)
def test_same_bits_for_any_workers_on_large_arrays(shape, kernel, stride):
    x = cases.random(shape, np.float32)
    for call in (nn.avg_pool2d, nn.max_pool2d):
        want = call(x, kernel, stride, workers=1)
        for workers in (2, 3, 8):
            assert call(x, kernel, stride, workers=workers).tobytes() == want.tobytes()
        few = call(x[:1, 1:3], kernel, stride)
        assert few.tobytes() == want[:1, 1:3].tobytes()


# ---- by table ----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.float16, np.int32])
@pytest.mark.parametrize(
    ("ceil_mode", "count_include_pad", "divisor_override", "expected"),
    [
        # windows of three at -1, 1, 3 of the input padded by one, and at 5, which hangs over
        (False, True, None, [30 / 3, 90 / 3, 150 / 3]),
        (False, False, None, [30 / 2, 90 / 3, 150 / 3]),
        (True, True, None, [30 / 3, 90 / 3, 150 / 3, 60 / 2]),
        (True, False, None, [30 / 2, 90 / 3, 150 / 3, 60 / 1]),
        (False, True, 10, [3, 9, 15]),
        (True, False, 10, [3, 9, 15, 6]),
        (True, True, -5, [-6, -18, -30, -12]),
    ],
)
def test_divisors_by_hand(ceil_mode, count_include_pad, divisor_override, expected, dtype):
    x = np.array([[10, 20, 30, 40, 50, 60]], dtype)
    y = nn.avg_pool1d(x, 3, 2, 1, ceil_mode, count_include_pad, divisor_override)
    cases.assert_same(y, np.array([expected]).astype(dtype))


@pytest.mark.parametrize(
    ("ceil_mode", "count_include_pad", "along_rows", "along_columns"),
    [
        (False, True, [3 / 3, 9 / 3, 15 / 3], [3 / 2, 7 / 2]),
        (False, False, [3 / 2, 9 / 3, 15 / 3], [3 / 2, 7 / 2]),
        (True, True, [3 / 3, 9 / 3, 15 / 3, 6 / 2], [3 / 2, 7 / 2, 5 / 1]),
        (True, False, [3 / 2, 9 / 3, 15 / 3, 6 / 1], [3 / 2, 7 / 2, 5 / 1]),
    ],
)
def test_divisors_by_hand_in_two_dimensions(
    ceil_mode, count_include_pad, along_rows, along_columns
):
    """Rows as above; five columns in pairs without padding, the last of which hangs over."""
    x = np.multiply.outer(np.arange(1.0, 7), np.arange(1.0, 6))[None]
    y = nn.avg_pool2d(x, (3, 2), 2, (1, 0), ceil_mode, count_include_pad)
    cases.assert_same(y, np.multiply.outer(along_rows, along_columns)[None])


def test_no_window_starts_in_the_padding():
    assert nn.avg_pool1d(np.ones((1, 2)), 2, 3, 1, True).tolist() == [[0.5]]
    assert nn.max_pool1d([[1, 5, 2]], 2, 2, 0, ceil_mode=True).tolist() == [[5, 2]]
    assert nn.lp_pool1d([[3.0, 4, 12, 5, 6]], 2, 2, ceil_mode=True)[0, -1] == pytest.approx(72**0.5)


def test_averages_of_integers_are_truncated():
    assert nn.avg_pool1d([[-3, -4, 200, 200]], 2).tolist() == [[-3, 200]]
    cases.assert_same(nn.avg_pool1d(np.full((1, 4), 200, np.uint8), 4), np.array([[200]], np.uint8))
    largest = np.array([[2**64 - 1, 0]], np.uint64)
    assert nn.avg_pool1d(largest, 2).tolist() == [[2**63 - 1]]
    least = np.array([[-(2**63), 0]])
    assert nn.avg_pool1d(least, 1, divisor_override=-1).tolist() == [[-(2**63), 0]]


def test_maximum_by_hand():
    y, index = nn.max_pool2d(np.array([[[1, 9, 3], [9, 5, 6]]]), 2, 1, return_indices=True)
    assert (y.tolist(), index.tolist()) == ([[[9, 9]]], [[[1, 1]]])
    y, index = nn.max_pool1d([[1, np.nan, 3, np.nan, 2]], 5, return_indices=True)
    assert np.isnan(y).all()
    assert index.tolist() == [[3]]
    y, index = nn.max_pool1d([[-np.inf] * 2], 2, return_indices=True)
    assert (y.tolist(), index.tolist()) == ([[-np.inf]], [[0]])
    y, index = nn.max_pool1d(np.ones((1, 3)), 2, 1, 1, 4, return_indices=True)
    assert (y.tolist(), index.tolist()) == ([[-np.inf]], [[-1]])
    y, index = nn.max_pool1d(np.ones((1, 3), np.int8), 2, 1, 1, 4, return_indices=True)
    assert (y.tolist(), index.tolist()) == ([[-128]], [[-1]])
    y, index = nn.max_pool1d(np.zeros((1, 3), np.uint8), 2, 1, 1, 4, return_indices=True)
    assert (y.tolist(), index.tolist()) == ([[0]], [[-1]])


@pytest.mark.parametrize("dtype", [*cases.INTEGERS, *cases.FLOATS], ids=str)
def test_least_and_largest_values(dtype):
    limits = np.iinfo(dtype) if dtype.kind in "iu" else np.finfo(dtype)
    x = np.full((1, 70), limits.min, dtype)
    x[0, 40] = limits.max
    y, index = nn.max_pool1d(x, 2, 1, return_indices=True)
    where = np.isin(np.arange(69), (39, 40))
    assert y[0].tolist() == np.where(where, limits.max, limits.min).astype(dtype).tolist()
    assert index[0].tolist() == np.where(where, 40, np.arange(69)).tolist()
    np.testing.assert_array_equal(nn.max_pool1d(x, 2, 1), y)


def test_windows_without_padding_are_the_average_of_numpy():
    """The definition once more, by another function: the mean of sliding views."""
    x = cases.random((2, 3, 30, 40))
    views = np.lib.stride_tricks.sliding_window_view(x, (5, 7), (2, 3))
    cases.assert_same(nn.avg_pool2d(x, (5, 7), 1), views.mean((-2, -1)))
    np.testing.assert_array_equal(
        nn.max_pool2d(x, (5, 7), (2, 3)), views.max((-2, -1))[..., ::2, ::3]
    )


@pytest.mark.parametrize("kernel", [9, 33, 64, 100, 127])
def test_large_windows(kernel):
    x = cases.random((1, 2, 200, 260), np.float32)
    for stride in (1, 2, 5):
        window = kernel, stride, kernel // 2
        want = reference_sums(x, *window)
        got = nn.avg_pool2d(x, *window, divisor_override=1)
        cases.assert_same(got, want.astype(np.float32), terms=kernel, scale=kernel)
        views = np.lib.stride_tricks.sliding_window_view(x, (kernel, kernel), (2, 3))
        largest = views[:, :, ::stride, ::stride].max((-2, -1))
        np.testing.assert_array_equal(nn.max_pool2d(x, kernel, stride), largest)
        y, index = nn.max_pool2d(x, kernel, stride, return_indices=True)
        np.testing.assert_array_equal(y, largest)
        rows = np.take_along_axis(x.reshape(1, 2, -1), index.reshape(1, 2, -1), 2)
        np.testing.assert_array_equal(rows.reshape(y.shape), y)


def reference_sums(x, kernel, stride, padding):
    """Sums of windows from cumulative sums in double precision."""
    wide = np.pad(x.astype(float), ((0, 0), (0, 0), (padding + 1, padding), (padding + 1, padding)))
    total = wide.cumsum(2).cumsum(3)
    ends, starts = slice(kernel, None, stride), slice(None, -kernel, stride)
    rows = total[:, :, ends] - total[:, :, starts]
    return rows[..., ends] - rows[..., starts]


def test_sums_do_not_drift():
    """Windows beside a large number are as exact as elsewhere: nothing is added and taken away."""
    x = np.ones((1, 1, 80, 300), np.float32)
    x[..., 10, 20] = 1e9
    y = nn.avg_pool2d(x, 25, 1)
    touched = np.zeros(y.shape, bool)
    touched[..., :11, :21] = True
    assert (y[~touched] == 1).all()


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("rank", RANKS)
def test_whole_planes(rank, size):
    """Global pools, which read planes as one run, of contiguous and of other arrays."""
    x = cases.random((3, 5, *(13, 11, 7)[:rank]), np.float32)
    for a in (x, x[..., ::-1], x[:, ::2], np.asfortranarray(x)):
        mean = cases.of_rank(nn, "adaptive_avg_pool", rank)(a, size)
        want = cases.of_rank(reference, "adaptive_avg_pool", rank)(a, size)
        cases.assert_same(mean, want)
        for got, wanted in zip(
            cases.of_rank(nn, "adaptive_max_pool", rank)(a, size, return_indices=True),
            cases.of_rank(reference, "adaptive_max_pool", rank)(a, size, return_indices=True),
            strict=True,
        ):
            np.testing.assert_array_equal(got, wanted)


def test_bfloat16():
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    x = cases.random((2, 3, 9, 40)).astype(bfloat16)
    x[0, 0, 3, 4:8] = np.nan, np.inf, -np.inf, -0.0
    for name, arguments in (
        ("avg_pool2d", (3, 2, 1)),
        ("max_pool2d", (3, 2, 1)),
        ("lp_pool2d", (2, 3)),
    ):
        with np.errstate(all="ignore"):
            got, want = (getattr(m, name)(x, *arguments) for m in (nn, reference))
        assert got.dtype == bfloat16
        np.testing.assert_allclose(got.astype(float), want.astype(float), rtol=2**-7, atol=2**-7)


def test_float16_conversions_are_those_of_numpy():
    """All numbers there are, through a pool that changes none; and roundings of others."""
    x = np.arange(2**16, dtype=np.uint16).view(np.float16)[None]
    y = nn.max_pool1d(x, 1)
    np.testing.assert_array_equal(y, x)
    assert y[~np.isnan(x)].tobytes() == x[~np.isnan(x)].tobytes()
    pairs = x[:, np.random.default_rng(0).permutation(2**16)]
    pairs = pairs[np.isfinite(pairs)][None]
    wide = pairs.astype(np.float32).reshape(-1, 2)
    with np.errstate(over="ignore"):
        want = ((wide[:, 0] + wide[:, 1]) / np.float32(2)).astype(np.float16)
        sums = (wide[:, 0] + wide[:, 1]).astype(np.float16)
        small = ((wide[:, 0] + wide[:, 1]) / np.float32(3000)).astype(np.float16)
    assert nn.avg_pool1d(pairs, 2)[0].tobytes() == want.tobytes()
    assert nn.avg_pool1d(pairs, 2, divisor_override=1)[0].tobytes() == sums.tobytes()
    np.testing.assert_array_equal(
        nn.avg_pool2d(pairs.reshape(1, -1, 2), (1, 2), divisor_override=3000)[0, :, 0], small
    )


def test_bfloat16_conversions_are_those_of_ml_dtypes():
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    x = np.arange(2**16, dtype=np.uint16).view(bfloat16)[None]
    x = x[np.isfinite(x.astype(np.float32))][None]
    assert nn.max_pool1d(x, 1).tobytes() == x.tobytes()
    pairs = x[:, np.random.default_rng(0).permutation(x.size)]
    wide = pairs.astype(np.float32).reshape(-1, 2)
    with np.errstate(over="ignore"):
        want = ((wide[:, 0] + wide[:, 1]) / np.float32(3)).astype(bfloat16)
    assert nn.avg_pool1d(pairs, 2, divisor_override=3)[0].tobytes() == want.tobytes()


def test_byte_swapped_input_gives_a_native_result():
    x = cases.random((2, 3, 6, 5), "f4")
    y = nn.avg_pool2d(x.astype(x.dtype.newbyteorder()), 2)
    cases.assert_same(y, nn.avg_pool2d(x, 2))


def test_without_samples():
    assert nn.avg_pool2d(np.ones((0, 2, 5, 5)), 2).shape == (0, 2, 2, 2)
    assert nn.max_pool2d(np.ones((2, 0, 5, 5)), 2).shape == (2, 0, 2, 2)
    y, index = nn.max_pool2d(np.ones((0, 2, 5, 5)), 2, return_indices=True)
    assert y.shape == index.shape == (0, 2, 2, 2)
    assert nn.adaptive_avg_pool2d(np.ones((2, 3, 5, 5)), 0).shape == (2, 3, 0, 0)
    assert nn.lp_pool1d(np.ones((0, 2, 5)), 2, 2).shape == (0, 2, 2)
    assert nn.max_unpool1d(np.ones((0, 2, 5)), np.ones((0, 2, 5), int), 2).shape == (0, 2, 10)
    assert nn.grad.avg_pool1d_input((0, 2, 4), np.ones((0, 2, 2)), 2).shape == (0, 2, 4)


@pytest.mark.parametrize("dtype", [np.int64, np.uint64, np.float64])
def test_average_of_no_sample(dtype):
    """Windows whose taps lie on either side of the input, as C callers may have them."""
    axes = [(2, 1, 5, 2), (1, 1, 1, 0)]
    y = np.full((1, 2, 2, 40), 9, dtype)
    x = np.arange(1, 241, dtype=dtype).reshape(1, 2, 3, 40)
    _core.pool(x, y, axes=axes, maximum=False)
    np.testing.assert_array_equal(y, 0 if np.dtype(dtype).kind in "iu" else np.nan)
