"""Missing samples in pyconvc.ndimage: against the definition, scipy's quotients and astropy."""

import cases
import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given
from hypothesis import strategies as st

from pyconvc import _missing, ndimage, reference

MODES = ["reflect", "constant", "nearest", "mirror", "wrap"]
DTYPES = [*cases.FLOATS, *cases.COMPLEXES, np.dtype(np.int16), np.dtype(np.uint8)]
LONGEST = [0, 60, 20, 9, 6]


@st.composite
def calls(draw, ranks=(1, 2, 3, 4)):
    """(input, generator, options) with some of the samples missing."""
    rng = np.random.default_rng(draw(st.integers(0, 1 << 20)))
    rank = draw(st.sampled_from(ranks))
    shape = tuple(draw(st.integers(1, LONGEST[rank])) for _ in range(rank))
    dtype = draw(st.sampled_from(DTYPES))
    whole = dtype.kind in "iu"
    x = rng.integers(0, 100, shape).astype(dtype) if whole else cases.values(rng, shape, dtype)
    if not whole:
        x[rng.random(shape) < draw(st.sampled_from([0, 0.1, 0.6, 1]))] = np.nan
    masked = whole or draw(st.booleans())
    options = {
        "mask": rng.random(shape) < 0.2 if masked else None,
        "min_weight": draw(st.sampled_from([0.0, 0.313, 1.0])),
        "normalize": draw(st.booleans()),
        "cval": draw(st.sampled_from([0.0, 2.5, np.nan])),
    }
    x = draw(st.sampled_from([x, np.asfortranarray(x), x[::-1]]))
    return x, rng, options


def check(name, x, *args, scale=1.0, precision=None, workers=1, **options):
    """Ours against the twin; `scale` is the sum of the weights' magnitudes."""
    want = getattr(reference.ndimage, name)(x, *args, **options)
    function = getattr(ndimage, name)
    got = function(x, *args, nan_policy="omit", precision=precision, workers=workers, **options)
    context = str({"name": name, "shape": x.shape, "args": args, **options})
    assert got.dtype == want.dtype and got.shape == want.shape, context
    np.testing.assert_array_equal(np.isnan(got), np.isnan(want), err_msg=context)
    largest = max(1.0, float(np.nanmax(np.abs(x), initial=1))) * max(scale, 1)
    bound = 300 * np.finfo(got.dtype).eps * largest
    np.testing.assert_allclose(got, want, rtol=0, atol=bound, err_msg=context)


def drawn_axes(draw, rank):
    if draw(st.booleans()):
        return None
    return tuple(draw(st.permutations(range(rank)))[: draw(st.integers(1, rank))])


SIGNS = [np.abs, lambda w: -np.abs(w), lambda w: w, lambda w: w - w.mean(), np.zeros_like]
PRECISIONS = st.sampled_from([None, "double"])


@given(calls(), st.data(), PRECISIONS)
def test_kernels_of_any_rank(call, data, precision):
    x, rng, options = call
    axes = drawn_axes(data.draw, x.ndim)
    count = x.ndim if axes is None else len(axes)
    weights = rng.standard_normal([data.draw(st.integers(1, 4)) for _ in range(count)])
    weights = data.draw(st.sampled_from(SIGNS))(weights)
    if data.draw(st.booleans()):
        weights[rng.random(weights.shape) < 0.3] = 0
    options |= {"mode": data.draw(st.sampled_from(MODES)), "precision": precision, "axes": axes}
    scale = np.abs(weights).sum()
    workers = data.draw(st.integers(1, 3))
    check("correlate", x, weights, scale=scale, workers=workers, **options)
    check("convolve", x, weights, scale=scale, **options)


@given(calls(), st.data(), PRECISIONS)
def test_along_one_axis(call, data, precision):
    x, rng, options = call
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    weights = rng.standard_normal(data.draw(st.integers(1, 9)))
    weights = data.draw(st.sampled_from(SIGNS))(weights)
    options |= {"mode": data.draw(st.sampled_from(MODES)), "precision": precision, "axis": axis}
    scale = np.abs(weights).sum()
    check("convolve1d", x, weights, scale=scale, **options)
    origin = data.draw(st.integers(-(len(weights) // 2), (len(weights) - 1) // 2))
    check("correlate1d", x, weights, scale=scale, origin=origin, **options)
    check("uniform_filter1d", x, data.draw(st.integers(1, 12)), **options)
    check("gaussian_filter1d", x, 0.9, order=data.draw(st.integers(0, 2)), scale=4, **options)


@given(calls(), st.data(), PRECISIONS)
def test_along_several_axes(call, data, precision):
    x, _, options = call
    axes = drawn_axes(data.draw, x.ndim)
    count = x.ndim if axes is None else len(axes)
    modes = [data.draw(st.sampled_from(MODES)) for _ in range(count)]
    options |= {"mode": modes, "precision": precision, "axes": axes}
    check("uniform_filter", x, [data.draw(st.integers(1, 9)) for _ in range(count)], **options)
    sigma = [data.draw(st.sampled_from([0, 0.4, 1])) for _ in range(count)]
    order = [data.draw(st.sampled_from([0, 0, 1, 2])) for _ in range(count)]
    scale = 5.0 ** np.count_nonzero(order)
    check("gaussian_filter", x, sigma, order, truncate=3.0, scale=scale, **options)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ["gaussian_filter", "uniform_filter"])
def test_quotients_of_scipys(name, mode):
    """The usual way: the filtered samples by the filtered flags. Several bands."""
    rng = np.random.default_rng(1)
    x = rng.random((900, 700))
    x[rng.random(x.shape) < 0.3] = np.nan
    there = ~np.isnan(x)
    theirs = getattr(scipy.ndimage, name)
    sums = theirs(np.where(there, x, 0), 5, mode=mode)
    weight = theirs(there.astype(float), 5, mode=mode, cval=1)
    got = getattr(ndimage, name)(x, 5, mode=mode, nan_policy="omit")
    np.testing.assert_allclose(got, sums / weight, rtol=1e-11)


@pytest.mark.parametrize(
    ("boundary", "mode"), [("extend", "nearest"), ("wrap", "wrap"), ("fill", "constant")]
)
@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("shape", [(200,), (40, 50), (12, 13, 14)])
def test_astropys_interpolation(shape, normalize, boundary, mode):
    """Kernels of one sign, where the meanings agree; astropy keeps nothing where all is missing."""
    convolution = pytest.importorskip("astropy.convolution")
    rng = np.random.default_rng(2)
    x = rng.random(shape)
    x[rng.random(shape) < 0.2] = np.nan
    kernel = rng.random((5,) * x.ndim)
    want = convolution.convolve(
        x,
        kernel / kernel.sum(),
        boundary=boundary,
        normalize_kernel=normalize,
        nan_treatment="interpolate" if normalize else "fill",
    )
    got = ndimage.convolve(
        x, kernel / kernel.sum(), mode=mode, nan_policy="omit", normalize=normalize
    )
    np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("dtype", cases.FLOATS)
@pytest.mark.parametrize("shape", [(300, 400), (60000,), (50, 60, 70)])
@pytest.mark.parametrize(
    ("name", "width", "reach"),
    [
        ("gaussian_filter", 2.0, 8),
        ("gaussian_filter1d", 2.0, 8),
        ("uniform_filter", 17, 9),  # sums shared by windows
        ("uniform_filter1d", 131, 66),
    ],
)
def test_windows_that_lack_nothing_keep_their_bits(name, width, reach, shape, dtype):
    x = np.random.default_rng(3).standard_normal(shape).astype(dtype)
    hole = x.copy()
    hole[tuple(n // 2 for n in shape)] = np.nan
    function = getattr(ndimage, name)
    for axis in {} if "1d" not in name else range(x.ndim):
        clean, got = (function(a, width, axis, nan_policy="omit") for a in (x, hole))
        assert np.array_equal(clean, function(x, width, axis))
        assert np.array_equal(*(a[far_from_the_middle(shape, reach)] for a in (got, clean)))
    if "1d" not in name:
        got = function(hole, width, nan_policy="omit")
        far = far_from_the_middle(shape, reach)
        assert np.array_equal(got[far], function(x, width)[far])
        assert not np.isnan(got).any()


def far_from_the_middle(shape, reach):
    far = np.ones(shape, bool)
    far[tuple(slice(max(0, n // 2 - reach), n // 2 + reach + 1) for n in shape)] = False
    return far


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        *(("NaN", mode) for mode in MODES),
        ("bytes", "reflect"),
        ("narrow result", "wrap"),
        ("turned", "constant"),
    ],
)
@pytest.mark.parametrize(
    ("shape", "axes", "sigma"),
    [
        ((300000,), None, 3),
        ((300, 900), None, 2),
        ((2, 70000), None, [0.3, 9]),
        ((30, 40000), (0,), 3),
        ((70, 60, 90), None, 1),
        ((70, 60, 90), None, 4),
        ((70, 60, 90), (1,), 4),
        ((9, 8, 50, 70), (1, 2, 3), 1),
        ((40, 30, 5, 6, 7), (0, 1), 1),
    ],
)
def test_arrays_of_many_bands(shape, axes, sigma, kind, mode, monkeypatch):
    """All by chains that leave out what is missing; against scipy's quotients."""
    monkeypatch.setattr(_missing, "leave_out", None)
    rng = np.random.default_rng(1)
    x = (rng.random(shape) * 200).round()
    mask = rng.random(shape[-1]) < 0.2 if kind == "bytes" else rng.random(shape) < 0.2
    flags = np.broadcast_to(~mask, shape).astype(float)
    options = {"mode": mode, "axes": axes, "truncate": 3.0}
    want = scipy.ndimage.gaussian_filter(x * flags, sigma, **options)
    with np.errstate(invalid="ignore"):  # whole windows may be missing
        want /= scipy.ndimage.gaussian_filter(flags, sigma, **options, cval=1)
    if kind == "NaN":
        x[mask] = np.nan
    elif kind == "turned":
        x, mask = np.asfortranarray(x), mask[::-1].copy()[::-1]
    else:
        x = x.astype(np.uint8 if kind == "bytes" else np.float64)
    options |= {"mask": None if kind == "NaN" else mask}
    if kind == "narrow result":
        options |= {"output": np.float32}
    got = ndimage.gaussian_filter(x, sigma, nan_policy="omit", **options)
    tolerance = 1e-5 if kind == "narrow result" else 1e-10
    np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance)


def test_a_constant_stays():
    x = np.full((50, 60), 7.0)
    x[np.random.default_rng(4).random(x.shape) < 0.05] = np.nan
    options = {"nan_policy": "omit", "mode": "nearest"}
    np.testing.assert_allclose(ndimage.gaussian_filter(x, 1.5, **options), 7, rtol=1e-12)
    np.testing.assert_allclose(ndimage.gaussian_filter(x, 1.5, 1, **options), 0, atol=1e-12)
    edge = np.outer([1, 2, 1], [-1, 0, 1.0])
    np.testing.assert_allclose(ndimage.correlate(x, edge, **options), 0, atol=1e-12)


def test_a_tap_of_zero_is_no_weight():
    """Nor does it become one where weights are rounded to float32."""
    x = np.full(18, np.nan, np.float32)
    x[9] = 1
    y = ndimage.gaussian_filter1d(x, 0.9, order=1, nan_policy="omit")
    assert np.isnan(y[9]) and not np.isnan(y[[8, 10]]).any()


@pytest.mark.parametrize("most", [1 << 22, 1 << 16, 1])
@pytest.mark.parametrize("dtype", [np.float32, np.complex128])
def test_bands_of_any_axis(monkeypatch, most, dtype):
    """Where rows of the first axis are too large, the third is cut."""
    rng = np.random.default_rng(7)
    x = rng.standard_normal((40, 6, 300)).astype(dtype)
    x[rng.random(x.shape) < 0.2] = np.nan
    monkeypatch.setattr(_missing, "MOST_BYTES", most)
    monkeypatch.setattr(_missing, "BAND_BYTES", most)
    check("gaussian_filter", x, [6, 0, 1], mode="mirror", mask=None)
    check("gaussian_filter", x, [6, 0, 1], [1, 0, 0], mode="mirror", mask=None, scale=4)
    weights = rng.standard_normal((9, 1, 3))
    check("correlate", x, weights, mode="wrap", mask=None, scale=20)


def test_infinity_stays_a_value_that_zero_weights_do_not_touch():
    x = np.ones((5, 5))
    x[2, 2], x[0, 0] = np.inf, np.nan
    cross = [[0, 1, 0], [1, 1, 1], [0, 1, 0]]
    y = ndimage.correlate(x, cross, nan_policy="omit")
    assert np.isinf(y).sum() == 5 and not np.isnan(y).any()


def test_same_bits_for_any_workers():
    rng = np.random.default_rng(5)
    x = rng.standard_normal((900, 800)).astype(np.float32)
    x[rng.random(x.shape) < 0.1] = np.nan
    for name, args in [("gaussian_filter", (2.0,)), ("gaussian_filter", (1.0, 1))]:
        function = getattr(ndimage, name)
        one, *others = [function(x, *args, nan_policy="omit", workers=n) for n in (1, 2, 3)]
        assert all(np.array_equal(one, other) for other in others)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_constant_that_is_missing(axis):
    """Also where all samples are there."""
    x = np.ones((30, 40, 50))
    y = ndimage.uniform_filter1d(
        x, 3, axis, mode="constant", cval=np.nan, nan_policy="omit", normalize=False
    )
    ends = np.moveaxis(y, axis, 0)[[0, -1]]
    np.testing.assert_allclose(ends, 2 / 3)
    assert (
        np.isnan(
            ndimage.uniform_filter1d(
                x, 3, axis, mode="constant", cval=np.nan, nan_policy="omit", min_weight=0.9
            )
        ).sum()
        == 2 * ends[0].size
    )


def test_output_may_be_the_input():
    x = np.random.default_rng(6).random((80, 90))
    x[::7, ::5] = np.nan
    want = ndimage.gaussian_filter(x.copy(), 1, nan_policy="omit")
    assert ndimage.gaussian_filter(x, 1, output=x, nan_policy="omit") is x
    np.testing.assert_array_equal(x, want)


def test_filters_along_no_axis():
    x = np.array([[1.0, np.nan], [3.0, 4.0]])
    y = ndimage.gaussian_filter(x, 0, mask=x == 3)
    np.testing.assert_array_equal(y, [[1, np.nan], [np.nan, 4]])


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"nan_policy": "ignore"}, ValueError, "nan_policy='ignore'"),
        ({"nan_policy": "raise"}, ValueError, "input has NaN"),
        ({"min_weight": -1}, ValueError, "min_weight=-1"),
        ({"mask": [True, False]}, ValueError, "mask.shape"),
        ({"mask": [1, 0, 1]}, TypeError, "mask.dtype"),
        ({"mask": [True, False, True], "output": np.int32}, RuntimeError, "output"),
        ({"nan_policy": "omit", "weights": [1, np.inf]}, ValueError, "not finite"),
        ({"mask": True, "input": np.float64(3), "weights": 1.0}, ValueError, "without axes"),
        ({"mask": True, "input": np.ones(3, np.longdouble)}, TypeError, "float128|longdouble"),
    ],
)
def test_refused(arguments, error, text):
    with pytest.raises(error, match=text):
        ndimage.correlate(**{"input": [1, np.nan, 2], "weights": [1, 1.0]} | arguments)


@pytest.mark.parametrize("dtype", cases.FLOATS)
def test_rounding_takes_no_window_below_what_it_needs(dtype):
    x = np.ones((120, 130), dtype)
    x[60, 60] = np.nan
    for size in (3, 10, 49):  # of which 1 / size times size is not always 1
        y = ndimage.uniform_filter(x, size, nan_policy="omit", min_weight=1.0)
        assert np.isnan(y).sum() == size**2
    row = np.array([1, np.nan, 2, np.nan, 3], dtype)
    y = ndimage.correlate1d(row, np.full(5, 0.2), nan_policy="omit", min_weight=0.6)
    np.testing.assert_allclose(y[2], 2, rtol=1e-6)
