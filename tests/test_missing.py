"""Missing samples: NaN left out, masks, weights that a window needs, kernels of any signs."""

import cases
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pyconvc
from pyconvc import _choose, _missing, reference, signal

BOUNDARIES = ("fill", "wrap", "symm", "mirror", "edge")
REFERENCE_NAMES = {"mirror": "reflect", "edge": "replicate"}
SIGNS = {
    "positive": np.abs,
    "negative": lambda w: -np.abs(w),
    "mixed": lambda w: w,
    "sum zero": lambda w: w - w.mean(),
    "zero": np.zeros_like,
}


@st.composite
def calls(draw):
    """(input, kernel, arguments) with some of the samples missing."""
    rank = draw(st.integers(1, 3))
    shape = draw(st.tuples(*[st.integers(2, (90, 14, 7)[rank - 1])] * rank))
    taps = draw(st.tuples(*[st.integers(1, 5)] * rank))
    mode = draw(st.sampled_from(cases.MODES))
    if mode == "valid":
        shape = tuple(map(max, shape, taps))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    dtype = draw(st.sampled_from(cases.FLOATS + cases.COMPLEXES))
    x, w = cases.values(rng, shape, dtype), cases.values(rng, taps, dtype)
    x[rng.random(shape) < draw(st.sampled_from([0, 0.1, 0.6, 1]))] = np.nan
    w = SIGNS[draw(st.sampled_from(list(SIGNS)))](w).astype(dtype)
    boundary = draw(st.sampled_from(BOUNDARIES))
    arguments = {
        "mask": rng.random(shape) < 0.2 if draw(st.booleans()) else None,
        "min_weight": draw(st.sampled_from([0.0, 0.31, 1.0])),
        "normalize": draw(st.booleans()),
        "fillvalue": draw(st.sampled_from([0, 2.5, np.nan])) if boundary == "fill" else 0,
    }
    return x, w, mode, boundary, arguments


@pytest.mark.parametrize("name", ["convolve", "correlate"])
@given(call=calls(), method=st.sampled_from(["auto", "direct", "fft"]), workers=st.integers(1, 3))
def test_definition(name, call, method, workers):
    x, w, mode, boundary, arguments = call
    got = getattr(signal, name)(
        x,
        w,
        mode,
        method,
        boundary=boundary,
        nan_policy="omit",
        workers=workers,
        **arguments,
    )
    rule = REFERENCE_NAMES.get(boundary, boundary)
    wide = x.astype(np.result_type(x, np.float64)), w.astype(np.result_type(w, np.float64))
    want = getattr(reference.signal, name)(*wide, mode, boundary=rule, **arguments)
    assert got.dtype == x.dtype
    np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
    # A mean is as exact as its sums are: a share of the weights may be left after cancellation.
    scale = np.abs(w).sum() * np.nanmax(np.abs(x), initial=2.5) + 1
    np.testing.assert_allclose(got, want, rtol=0, atol=300 * np.finfo(x.dtype).eps * scale)


@pytest.mark.parametrize("dtype", cases.FLOATS)
@pytest.mark.parametrize(
    ("shape", "taps"), [((5000,), (9,)), ((90, 70), (11, 3)), ((9, 20, 30), (3, 8, 5))]
)
def test_nothing_missing_changes_no_bit(shape, taps, dtype):
    x, w = cases.random(shape, dtype), np.abs(cases.random(taps, dtype, 1))
    plain = signal.convolve(x, w, "same", "direct")
    np.testing.assert_array_equal(
        signal.convolve(x, w, "same", "direct", nan_policy="omit", min_weight=1), plain
    )
    x[(3,) * x.ndim] = np.nan
    some = signal.convolve(x, w, "same", "direct", nan_policy="omit")
    touched = signal.convolve(np.isnan(x).astype(dtype), w, "same", "direct") != 0
    assert 0 < touched.sum() <= w.size
    np.testing.assert_array_equal(some[~touched], plain[~touched])


@pytest.mark.parametrize("method", ["direct", "fft", "separable", "auto"])
def test_a_constant_stays(method):
    x = np.full((60, 50), 7.0)
    x[np.random.default_rng(0).random(x.shape) < 0.3] = np.nan
    w = np.outer([1, 2, 1], [1, 3, 5, 3, 1.0])
    y = signal.convolve(x, w, "same", method, boundary="symm", nan_policy="omit")
    np.testing.assert_allclose(y, 7 * w.sum(), rtol=1e-12)
    edge = np.outer([1, 2, 3, 2, 1], [-2, -1, 0, 1, 2.0])
    y = signal.convolve(x, edge, "same", method, boundary="symm", nan_policy="omit")
    np.testing.assert_allclose(y, 0, atol=1e-12)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("dtype", cases.FLOATS)
@pytest.mark.parametrize(
    ("shape", "taps"),
    [((90, 70), (9, 7)), ((5, 400), (8, 3)), ((70, 900), (6, 1)), ((40, 12, 30), (3, 4, 5))],
)
@pytest.mark.parametrize("mode", ["same", "full", "valid"])
def test_separable(shape, taps, mode, dtype, boundary):
    """Both sums by chains, in bands: the definition, and the same bits for any workers."""
    if mode == "valid":
        shape = tuple(map(max, shape, taps))
    x, vectors = cases.random(shape, dtype), [np.abs(cases.random(n, dtype, 1)) for n in taps]
    rng = np.random.default_rng(0)
    x[rng.random(shape) < 0.2] = np.nan
    x[shape[0] // 3 : shape[0] // 3 + 12, : shape[1] // 2] = np.nan
    w = vectors[0]
    for v in vectors[1:]:
        w = np.multiply.outer(w, v)
    mask = rng.random(shape) < 0.1
    wide = x.astype(np.float64), w.astype(np.float64)
    rule = REFERENCE_NAMES.get(boundary, boundary)
    for fill in (0, 2.5, np.nan)[: 3 if boundary == "fill" else 1]:
        for other in (
            {"mask": None, "min_weight": 0.3},
            {"mask": mask, "normalize": False},
        ):
            given = {"fillvalue": fill, **other}
            one, three = (
                signal.convolve(
                    x,
                    w,
                    mode,
                    "separable" if sum(n > 1 for n in taps) > 1 else "direct",
                    boundary=boundary,
                    nan_policy="omit",
                    workers=workers,
                    **given,
                )
                for workers in (1, 3)
            )
            np.testing.assert_array_equal(one, three)
            want = reference.signal.convolve(*wide, mode, boundary=rule, **given)
            np.testing.assert_array_equal(np.isnan(one), np.isnan(want))
            size = w.sum() * max(2.5, np.nanmax(np.abs(x)))
            np.testing.assert_allclose(one, want, rtol=0, atol=300 * np.finfo(dtype).eps * size)


def test_separable_of_one_column():
    """Whose step NumPy takes for anything."""
    wide = cases.random((50, 20, 6))
    wide[::5, ::3] = np.nan
    x = wide[:, :, :1].copy()
    w = np.multiply.outer([1, 2, 1.0], [1, 3, 1.0])[:, :, None]
    want = signal.convolve(x, w, "same", "direct", nan_policy="omit")
    odd = np.lib.stride_tricks.as_strided(x, x.shape, (*x.strides[:2], 40))
    assert odd.flags.c_contiguous
    y = signal.convolve(odd, w, "same", "separable", nan_policy="omit")
    np.testing.assert_allclose(y, want, rtol=0, atol=1e-12)


def test_windows_without_samples():
    x = np.ones((64, 64), np.float32)
    x[20:40, 20:40] = np.nan
    for method in ("direct", "fft", "separable"):
        y = signal.convolve(x, np.ones((9, 9), np.float32), "same", method, nan_policy="omit")
        assert np.isnan(y).sum() == 12 * 12
        assert np.isnan(y[24:36, 24:36]).all()


def test_infinity_stays_a_value():
    y = signal.convolve([1, np.inf, np.nan, 1, 1], [1, 1.0], "valid", nan_policy="omit")
    np.testing.assert_array_equal(y, [np.inf, np.inf, 2, 2])


def test_same_bits_for_any_workers():
    x = cases.random((700, 300), np.float32)
    x[np.random.default_rng(0).random(x.shape) < 0.1] = np.nan
    for w in (np.abs(cases.random((7, 5), np.float32, 1)), cases.random((7, 5), np.float32, 1)):
        first, *others = [
            signal.convolve(x, w, "same", "direct", nan_policy="omit", workers=workers)
            for workers in (1, 2, 3, 5)
        ]
        for other in others:
            np.testing.assert_array_equal(other, first)


def test_masked_integers_are_averaged():
    x = np.array([1, 200, 3, 4], np.uint8)
    y = signal.convolve(x, np.ones(3, np.uint8), "same", mask=x > 100, fillvalue=0)
    assert y.dtype == np.float64
    np.testing.assert_allclose(y, [1.5, 6, 10.5, 7])


def test_kernels_of_their_own():
    """Along axes that are not convolved kernels may differ, also in their sums."""
    x = cases.random((3, 40))
    x[:, ::7] = np.nan
    w = np.abs(cases.random((3, 5), seed=1)) * [[1], [10], [0]]
    y = signal.convolve(x, w, "same", axes=1, nan_policy="omit")
    for i in range(3):
        np.testing.assert_allclose(
            y[i], signal.convolve(x[i], w[i], "same", nan_policy="omit"), rtol=1e-12
        )


def test_views_and_outputs():
    x = cases.random((60, 50))
    x[::5, ::3] = np.nan
    w = np.abs(cases.random((3, 3), seed=1))
    want = signal.convolve(x, w, "same", nan_policy="omit")
    for view in (np.asfortranarray(x), np.repeat(x, 2, 1)[:, ::2], x[::-1][::-1], x.astype(">f8")):
        out = np.full((50, 60), 9.0).T
        assert signal.convolve(view, w, "same", nan_policy="omit", out=out) is out
        np.testing.assert_array_equal(out, want)


def test_nothing_is_written_to_the_inputs():
    x = np.array([1, np.nan, 3.0])
    mask = np.array([False, False, True])
    signal.convolve(x, [1, 1.0], nan_policy="omit", mask=mask)
    np.testing.assert_array_equal(x, [1, np.nan, 3])
    np.testing.assert_array_equal(mask, [False, False, True])


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"nan_policy": "ignore"}, ValueError, "nan_policy='ignore'"),
        ({"nan_policy": "raise"}, ValueError, "in1 has NaN"),
        ({"min_weight": 1.5}, ValueError, "min_weight=1.5"),
        ({"min_weight": np.nan}, ValueError, "min_weight=nan"),
        ({"mask": [True, False]}, ValueError, "mask.shape"),
        ({"mask": [1, 0, 1]}, TypeError, "mask.dtype"),
        ({"nan_policy": "omit", "mode": "valid", "in2": np.ones(5)}, ValueError, "mode 'valid'"),
        ({"nan_policy": "omit", "in2": [1, np.inf]}, ValueError, "not finite"),
        (
            {"mask": [True, False, True], "in2": np.array([1], object)},
            TypeError,
            "nan_policy, mask",
        ),
    ],
)
def test_refused(arguments, error, text):
    with pytest.raises(error, match=text):
        pyconvc.convolve(**{"in1": [1, np.nan, 2], "in2": [1, 1.0]} | arguments)


def test_windows_of_thousands_of_lines():
    """More than are held at once: computed by other sums."""
    x = cases.random((2000, 2, 3), np.float64)
    x[::7] = np.nan
    w = np.abs(cases.random((1900, 1, 1), np.float64, 1))
    y = signal.convolve(x, w, "valid", "direct", nan_policy="omit")
    want = signal.convolve(x[:, 1, 2], w[:, 0, 0], "valid", "direct", nan_policy="omit")
    np.testing.assert_allclose(y[:, 1, 2], want, rtol=1e-12)


@pytest.mark.parametrize("dtype", cases.FLOATS)
@pytest.mark.parametrize(
    ("shape", "taps"), [((9000,), (40,)), ((70, 2100), (9, 70)), ((40, 30, 500), (3, 2, 5))]
)
def test_pieces_that_lack_something_between_those_that_do_not(shape, taps, dtype):
    """The way a piece is computed changes no bit: every way, against the same sums elsewhere."""
    x, w = cases.random(shape, dtype), np.abs(cases.random(taps, dtype, 1))
    right = x[..., shape[-1] // 2 :]
    right[np.random.default_rng(0).random(right.shape) < 0.1] = np.nan
    y = signal.convolve(x, w, "valid", "direct", nan_policy="omit")
    for first in (0, 7, shape[-1] // 3, shape[-1] - taps[-1] - 100):
        part = signal.convolve(x[..., first:], w, "valid", "direct", nan_policy="omit")
        np.testing.assert_array_equal(part, y[..., first:])
    wide = x.astype(np.float64), w.astype(np.float64)
    want = reference.signal.convolve(*wide, "valid", mask=None)
    np.testing.assert_allclose(y, want, rtol=0, atol=300 * np.finfo(dtype).eps * w.sum())


@pytest.mark.parametrize("seconds", [{"direct": 1, "fft": 0.9}, {"direct": 1, "fft": 0.5}])
def test_both_sums_at_once_where_direct_is_taken(seconds, monkeypatch):
    """Transforms must be faster by some part, here as where nothing is missing."""
    monkeypatch.setattr(_choose, "weigh", lambda f: (_choose.Choice("", "", seconds), None))
    calls, at_once = [], _missing._filter_at_once
    monkeypatch.setattr(_missing, "_filter_at_once", lambda *a: calls.append(0) or at_once(*a))
    x = cases.random((60, 50))
    x[3, 3] = np.nan
    signal.convolve(x, np.ones((9, 9)), "same", nan_policy="omit")
    assert len(calls) == (_choose.FFT_GAIN * seconds["fft"] > seconds["direct"])


@pytest.mark.parametrize("dtype", cases.FLOATS)
@pytest.mark.parametrize(
    ("shape", "taps"),
    [
        ((150, 500), (9, 8)),
        ((60, 500), (3, 46)),
        ((9, 60, 130), (2, 7, 7)),
        ((9, 60, 130), (3, 3, 3)),
        ((9, 60, 300), (5, 4, 5)),
        ((6, 40, 300), (2, 3, 60)),
    ],
)
def test_few_and_many_missing(shape, taps, dtype):
    """Kernels lose what is missing sample by sample, or tap by tap."""
    x, size = cases.random(shape, dtype), np.abs(cases.random(taps, dtype, 1))
    w = size * np.exp(-sum(i**2 for i in np.ix_(*[np.linspace(-3, 3, n) for n in taps])))
    w = w.astype(dtype)
    share = np.repeat([0, 0.01, 0.6, 0.05, 0.98, 1, 0.02], shape[-1] // 7 + 1)[: shape[-1]]
    x[np.random.default_rng(0).random(shape) < share] = np.nan
    y = signal.convolve(x, w, "same", "direct", nan_policy="omit", min_weight=0.2)
    for rows in (1, 5, 50):
        top = signal.convolve(
            x[..., : rows + 20, :], w, "same", "direct", nan_policy="omit", min_weight=0.2
        )
        np.testing.assert_array_equal(top[..., :rows, :], y[..., :rows, :])
    wide = x.astype(np.float64), w.astype(np.float64)
    want = reference.signal.convolve(*wide, "same", mask=None, min_weight=0.2)
    np.testing.assert_array_equal(np.isnan(y), np.isnan(want))
    np.testing.assert_allclose(y, want, rtol=0, atol=200 * np.finfo(dtype).eps * w.sum())


@pytest.mark.parametrize("dtype", cases.FLOATS)
@pytest.mark.parametrize("min_weight", [0, 0.4])
def test_what_else_is_missing_changes_no_bit(dtype, min_weight):
    """Of 3x3 taps: vectors that lack something are computed again, or all where many do."""
    x, w = cases.random((100, 400), dtype), np.abs(cases.random((3, 3), dtype, 1))
    rng = np.random.default_rng(0)
    x[rng.random(x.shape) < 0.01] = np.nan
    much = x.copy()
    much[:, 200:][rng.random((100, 200)) < 0.8] = np.nan
    few, many = (
        signal.convolve(a, w, "same", "direct", nan_policy="omit", min_weight=min_weight)
        for a in (x, much)
    )
    np.testing.assert_array_equal(few[:, :198], many[:, :198])
    for a, y in ((x, few), (much, many)):
        wide = a.astype(np.float64), w.astype(np.float64)
        want = reference.signal.convolve(*wide, "same", mask=None, min_weight=min_weight)
        np.testing.assert_array_equal(np.isnan(y), np.isnan(want))
        np.testing.assert_allclose(y, want, rtol=0, atol=20 * np.finfo(dtype).eps * w.sum())


@pytest.mark.parametrize(("share", "sums"), [(0.01, "taps"), (0.3, "vectors")])
def test_vectors_of_few_taps_where_much_is_missing(share, sums, monkeypatch):
    """Where little is missing most outputs are those of a plain filter, by taps."""
    taken = []
    for name, kind in (("_filter_at_once", "taps"), ("_separable_at_once", "vectors")):
        run = getattr(_missing, name)
        monkeypatch.setattr(
            _missing, name, lambda *a, run=run, kind=kind: taken.append(kind) or run(*a)
        )
    monkeypatch.setattr(_choose, "OMIT_GAIN", np.inf)
    x = cases.random((60, 70, 80))
    x[np.random.default_rng(0).random(x.shape) < share] = np.nan
    v = np.array([1, 2, 1.5])
    w = np.multiply.outer(np.multiply.outer(v, v), v)
    y = signal.convolve(x, w, "same", nan_policy="omit")
    assert taken == [sums]
    want = signal.convolve(x, w, "same", "direct", nan_policy="omit")
    np.testing.assert_allclose(y, want, rtol=0, atol=1e-11)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("dtype", cases.FLOATS)
@pytest.mark.parametrize("method", ["fft", "direct"])
def test_long_lines(method, dtype, boundary):
    """Longer than the line that weighs a window."""
    x, w = cases.random((20000,), dtype), np.abs(cases.random((301,), dtype, 1))
    x[np.random.default_rng(0).random(x.shape) < 0.1] = np.nan
    x[9000:9400] = np.nan
    y = signal.convolve(x, w, "full", method, boundary=boundary, nan_policy="omit", min_weight=0.2)
    wide = x.astype(np.float64), w.astype(np.float64)
    rule = REFERENCE_NAMES.get(boundary, boundary)
    want = reference.signal.convolve(*wide, "full", boundary=rule, mask=None, min_weight=0.2)
    np.testing.assert_array_equal(np.isnan(y), np.isnan(want))
    size = w.sum() * np.nanmax(np.abs(x))
    np.testing.assert_allclose(y, want, rtol=0, atol=300 * np.finfo(dtype).eps * size)
