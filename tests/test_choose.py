"""Which method `auto` takes, and how far each method may be from the exact sum."""

import math

import cases
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyconvc import _choose, signal

LONG = (60_000,), (6001,)
PLANE = (500, 500), (201, 201)
FLOATING = cases.FLOATS + cases.COMPLEXES


def pair(shapes, dtype, seed=1):
    return [cases.random(shape, dtype, seed + i) for i, shape in enumerate(shapes)]


# ---- what is taken


@pytest.mark.parametrize("dtype", FLOATING, ids=str)
@pytest.mark.parametrize("shapes", [LONG, PLANE], ids=str)
def test_transforms_for_many_taps(shapes, dtype):
    choice = signal.choose(*pair(shapes, dtype))
    assert choice.method == "fft"
    assert choice.seconds["fft"] < choice.seconds["direct"]


@pytest.mark.parametrize("w_shape", [(1, 1001), (1001, 1)], ids=str)
def test_transforms_along_one_axis(w_shape):
    x, w = pair(((1024, 1024), w_shape), np.dtype(np.float32))
    x[:300, :300] *= 1e-3  # each part of the input is looked at
    assert signal.choose(x, w, "same").method == "fft"
    found = signal.convolve(x, w, "same")
    exact = signal.convolve(x.astype(float), w.astype(float), "same", method="direct")
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-4 * np.abs(w).sum())


@pytest.mark.parametrize("dtype", cases.DTYPES, ids=str)
def test_direct_for_few_taps(dtype):
    for shapes in [
        ((1_000_000,), (5,)),
        ((1000, 1000), (3, 3)),
        ((90, 90, 90), (3, 3, 3)),
        ((9,), (9,)),
    ]:
        choice = signal.choose(*pair(shapes, dtype))
        assert choice.method == "direct", (shapes, choice)


@pytest.mark.parametrize("dtype", cases.DTYPES, ids=str)
def test_separable_for_products_of_vectors(dtype):
    x, w = cases.random((900, 900), dtype), np.ones((15, 15), dtype)
    seconds = signal.choose(x, w).seconds
    assert seconds["separable"] < seconds["direct"]
    if seconds["separable"] < seconds.get("fft", math.inf):  # which may win where vectors are short
        assert signal.choose(x, w).method == "separable"
    w[3, 4] = 0
    assert "separable" not in signal.choose(x, w).seconds


@pytest.mark.parametrize("correlation", [False, True])
def test_cheapest_of_what_was_weighed(correlation):
    for shapes in [
        ((3000,), (60,)),
        ((40_000,), (900,)),
        ((700, 300), (20, 25)),
        ((50, 60, 70), (8,) * 3),
    ]:
        for w in (cases.random(shapes[1]), np.ones(shapes[1])):
            choice = signal.choose(cases.random(shapes[0]), w, "same", correlation=correlation)
            seconds = dict(choice.seconds)
            if "fft" in seconds:
                seconds["fft"] *= _choose.FFT_GAIN
            assert choice.method == min(seconds, key=seconds.get)


@pytest.mark.parametrize("mode", cases.MODES)
@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize(
    "shapes",
    [
        ((4000,), (20,)),
        ((20_000,), (400,)),
        ((300, 300), (5, 7)),
        ((300, 300), (1, 30)),
        ((900, 900), (9, 9)),
        ((900, 900), (41, 41)),
        ((50, 60, 70), (4,) * 3),
        ((50, 60, 70), (12,) * 3),
    ],
    ids=str,
)
def test_what_shapes_tell(shapes, flat, mode):
    x, w = pair(shapes, np.dtype("f4"))
    w = np.ones_like(w) if flat else w
    told = _choose.is_direct_by_shape(x, w, mode)
    method = signal.choose(x, w, mode).method
    if told or (x.ndim < 3 and not flat):  # of volumes the kernel's products are looked for
        assert told == (method == "direct")


# ---- what is refused

QUIET = 1e-11


def spoiled(dtype, value, which):
    """Arrays for which transforms are taken, but for one sample of one of them."""
    arrays = pair(LONG, dtype)
    arrays[which][700] = value
    return arrays


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", FLOATING, ids=str)
def test_no_transforms_of_infinite_values(dtype, value, which):
    choice = signal.choose(*spoiled(dtype, value, which))
    assert choice.method == "direct"
    assert "finite" in choice.reason
    assert choice.seconds["fft"] < choice.seconds["direct"]


@pytest.mark.parametrize("fill", [np.nan, np.inf, 1e14])
def test_no_transforms_of_large_or_infinite_fill_values(fill):
    a, b = pair(LONG, float)
    assert signal.choose(a, b, fillvalue=fill).method == "direct"
    assert signal.choose(a, b, fillvalue=1.0).method == "fft"
    assert signal.choose(a, b, "valid", fillvalue=fill).method == "fft"


@pytest.mark.parametrize("dtype", FLOATING, ids=str)
def test_no_transforms_where_small_outputs_would_drown(dtype):
    a, b = pair(LONG, dtype)
    a[20_000:] *= QUIET
    assert signal.choose(a, b).method == "direct"
    a, b = pair(LONG, dtype)
    a[30_000] = 1 / QUIET
    assert signal.choose(a, b).method == "direct"
    b[3000:] *= QUIET
    assert signal.choose(*pair(LONG, dtype)[:1], b).method == "direct"


def test_no_transforms_where_sums_overflow():
    a, b = pair(LONG, np.float32)
    assert signal.choose(a * np.float32(1e30), b * np.float32(1e6)).method == "direct"
    assert signal.choose(a * np.float32(1e-30), b * np.float32(1e-12)).method == "direct"
    assert signal.choose(a * np.float32(1e20), b * np.float32(1e-20)).method == "fft"


def test_rows_are_judged_one_by_one():
    """A quiet row shares no transform with a loud one."""
    a, b = cases.random((20, 30_000)), cases.random((1, 3001))
    a *= 10.0 ** np.arange(-10, 10)[:, None]
    assert signal.choose(a, b, axes=1).method == "fft"
    assert signal.choose(a.T, b.T, axes=0).method == "fft"
    assert signal.choose(a, cases.random((3, 3001))).method == "direct"


def test_no_transforms_of_bool():
    choice = signal.choose(*pair(LONG, bool))
    assert choice.method == "direct"
    assert "bool" in choice.reason


@pytest.mark.parametrize("dtype", cases.INTEGERS, ids=str)
def test_integers_are_exact_whatever_is_taken(dtype):
    """Small ones may go through a transform, others may not; all wrap alike."""
    for most in (3, 1000, 2**16, 2**40, 2**64):
        a, b = pair(((12_000,), (2001,)), dtype)
        if most < np.iinfo(dtype).max:
            a, b = a % most, b % most
        direct = signal.convolve(a, b, method="direct")
        np.testing.assert_array_equal(signal.convolve(a, b), direct)


def test_integers_take_transforms_while_they_are_small():
    a, b = (x % 100 for x in pair(LONG, np.int64))
    assert signal.choose(a, b).method == "fft"
    a[9] = 2**30
    choice = signal.choose(a, b)
    assert choice.method == "direct"
    assert "rounding" in choice.reason


# ---- how accurate it is


def exact_at(x, w, outputs):
    """Samples of the full convolution in long double, and the sums of the products' magnitudes."""
    kind = np.clongdouble if np.iscomplexobj(x) else np.longdouble
    w = w.astype(kind)
    padded = np.pad(x.astype(kind), len(w) - 1)
    windows = [padded[o : o + len(w)] for o in outputs]
    sums = np.array([np.sum(window * w[::-1]) for window in windows])
    return sums, np.array([np.sum(np.abs(window * w[::-1])) for window in windows])


@pytest.mark.parametrize("dtype", FLOATING, ids=str)
@pytest.mark.parametrize("n,k", [(400, 1), (400, 2), (3000, 17), (3000, 401), (20_000, 5000)])
def test_direct_sums(n, k, dtype):
    """Within K roundings of the sum of magnitudes, twice that where complex."""
    x, w = pair(((n,), (k,)), dtype)
    outputs = np.random.default_rng(0).integers(0, n + k - 1, 200)
    want, magnitudes = exact_at(x, w, outputs)
    got = signal.convolve(x, w, method="direct")[outputs]
    parts = 2 if x.dtype.kind == "c" else 1
    assert (np.abs(got - want) <= parts * (k + 1) * np.finfo(dtype).eps * magnitudes).all()


@pytest.mark.parametrize("dtype", FLOATING, ids=str)
@pytest.mark.parametrize("n,k", [(3000, 401), (20_000, 5000), (100_000, 301)])
def test_transforms(n, k, dtype):
    """Within a few roundings for each digit of the length, of the loudest sample times sum |w|."""
    x, w = pair(((n,), (k,)), dtype)
    outputs = np.random.default_rng(0).integers(0, n + k - 1, 200)
    want, _ = exact_at(x, w, outputs)
    got = signal.fftconvolve(x, w)[outputs]
    scale = np.abs(x).max() * np.abs(w).sum()
    assert np.abs(got - want).max() <= np.finfo(dtype).eps * math.log2(n + k) * scale


@pytest.mark.parametrize("dtype", [np.float32, np.complex64])
@pytest.mark.parametrize("shapes", [((100,), (100,)), ((128,), (7,)), ((9, 14), (8, 16))], ids=str)
def test_transforms_of_few_samples(shapes, dtype):
    """They have digits to spare: results are rounded once."""
    wide = np.result_type(dtype, np.float64)
    for x, w in (pair(shapes, dtype, seed) for seed in range(1, 9)):
        want = signal.convolve(x.astype(wide), w.astype(wide), method="direct")
        got = signal.convolve(x, w, method="fft")
        assert got.dtype == dtype
        np.testing.assert_allclose(got, want, rtol=0.51 * np.finfo(dtype).eps, atol=1e-12)


@pytest.mark.parametrize("dtype", FLOATING, ids=str)
@pytest.mark.parametrize("rank", [2, 3])
def test_separable_sums(rank, dtype):
    """Within a rounding for each tap of the vectors and 4 for the factors."""
    taps = (11, 9, 7)[:rank]
    vectors = [cases.random(k, dtype, i) for i, k in enumerate(taps)]
    w = vectors[0]
    for v in vectors[1:]:
        w = np.multiply.outer(w, v)
    x = cases.random((40,) * rank, dtype)
    kind = np.clongdouble if x.dtype.kind == "c" else np.longdouble
    want = signal.convolve(x.astype(kind), w.astype(kind), "valid", "direct")
    got = signal.convolve(x, w, "valid", "separable")
    magnitudes = signal.convolve(np.abs(x), np.abs(w), "valid", "direct")
    parts = 2 if x.dtype.kind == "c" else 1
    bound = parts * (sum(taps) + 4) * np.finfo(dtype).eps * magnitudes
    assert (np.abs(got - want) <= bound).all()


@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(["float32", "float64", "complex64", "complex128"]),
    st.integers(0, 24),
    st.sampled_from(["smooth", "steps", "spikes"]),
)
def test_promise_of_auto(seed, dtype, decades, shape):
    """Half of the digits, at least, of what the taps see, however samples differ in size."""
    rng = np.random.default_rng(seed)
    n, k = 30_000, 2501
    x, w = cases.values(rng, n, dtype), cases.values(rng, k, dtype)
    at = np.linspace(0, 1, n)
    if shape == "steps":
        at = np.repeat(rng.random(10), n // 10)
    if shape == "spikes":
        at = (rng.random(n) < 1e-3).astype(float)
    x = (x * 10.0 ** (decades * (at - 0.5))).astype(dtype)
    outputs = rng.integers(0, n + k - 1, 60)
    want, _ = exact_at(x, w, outputs)
    got = signal.convolve(x, w)[outputs]
    nearby = np.pad(np.abs(x), k - 1 + k // 2)
    loudest = np.array([nearby[o : o + 2 * k].max() for o in outputs])
    eps = np.finfo(dtype).eps
    bound = math.sqrt(eps) * math.log2(n) * loudest * np.abs(w).sum()
    assert (np.abs(got - want) <= bound).all()
