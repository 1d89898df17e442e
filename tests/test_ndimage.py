"""pyconvc.ndimage against its reference: dtype x rank x mode x origin x axes x output."""

import functools

import cases
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyconvc import ndimage, reference

MODES = ["reflect", "constant", "nearest", "mirror", "wrap"]
MODES += ["grid-mirror", "grid-constant", "grid-wrap"]
REALS = [*cases.INTEGERS, *cases.FLOATS]
NUMERIC = [*REALS, *cases.COMPLEXES]
LONGEST = [0, 90, 30, 11, 6]


def samples(rng, shape, dtype):
    """Integers small enough for sums that fit into int32, others normal."""
    dtype = np.dtype(dtype)
    if dtype.kind not in "iu":
        return cases.values(rng, shape, dtype)
    most = min(np.iinfo(dtype).max, 1 << 20)
    return rng.integers(-most if dtype.kind == "i" else 0, most, shape).astype(dtype)


@st.composite
def calls(draw, dtypes=tuple(NUMERIC), ranks=(1, 2, 3, 4)):
    """An input, its generator, and the arguments that all functions share."""
    rng = np.random.default_rng(draw(st.integers(0, 1 << 20)))
    rank = draw(st.sampled_from(ranks))
    shape = tuple(draw(st.integers(1, LONGEST[rank])) for _ in range(rank))
    x = samples(rng, shape, draw(st.sampled_from(dtypes)))
    x = draw(st.sampled_from([x, np.asfortranarray(x), x[::-1], np.repeat(x, 2, -1)[..., ::2]]))
    options = {"mode": draw(st.sampled_from(MODES)), "cval": draw(st.sampled_from([0.0, -2.0]))}
    output = draw(st.sampled_from([None, *dtypes]))
    if output is not None and (x.dtype.kind == "c") == (output.kind == "c"):
        options["output"] = output
    return x, rng, options


def origins(draw, sizes):
    return [draw(st.integers(-(n // 2), (n - 1) // 2)) for n in sizes]


def drawn_axes(draw, rank):
    """Some of the axes, in any order, or None for all."""
    if draw(st.booleans()):
        return None
    return tuple(draw(st.permutations(range(rank)))[: draw(st.integers(1, rank))])


INEXACT = ("uniform_filter", "uniform_filter1d")
"""Whose order of summation is not the twin's."""


def check(name, x, *args, precision=None, exact=True, **options):
    """Ours against the twin; in float64 the same bits, where weights are (`exact`)."""
    want = getattr(reference.ndimage, name)(x, *args, **options)
    got = getattr(ndimage, name)(x, *args, **options, precision=precision)
    context = {"name": name, "shape": x.shape, "args": args, **options}
    line = (
        name not in ("correlate", "convolve") and want.dtype == np.float64 and x.dtype.kind != "c"
    )
    bits = line or (precision and want.dtype.kind == "f")
    if want.dtype.kind in "iub" or (exact and bits and name not in INEXACT):
        assert got.dtype == want.dtype and np.array_equal(got, want), context
    else:
        close(got, want, x, args, context)
    return got


def close(got, want, x, args, context):
    """Within the bound of docs/ndimage.rst: the sum of the magnitudes, a rounding for each term."""
    assert got.dtype == want.dtype and got.shape == want.shape, context
    weight = np.abs(args[0]).sum() if args and np.ndim(args[0]) else 8
    terms = max(64, 8 * np.size(args[0])) if args else 64
    unit = np.finfo(np.result_type(want.dtype, np.float32)).eps
    single = x.dtype in (np.float32, np.complex64) and want.dtype.kind == "c"
    unit = max(unit, np.finfo(np.float32).eps) if single else unit
    largest = max(float(np.abs(x.astype(np.complex128)).max(initial=1)), 2) * max(weight, 1)
    np.testing.assert_allclose(got, want, rtol=0, atol=terms * unit * largest, err_msg=str(context))


PRECISIONS = st.sampled_from([None, "double"])


@given(calls(), st.data(), PRECISIONS)
def test_correlate_and_convolve(call, data, precision):
    x, rng, options = call
    axes = drawn_axes(data.draw, x.ndim)
    count = x.ndim if axes is None else len(axes)
    sizes = [data.draw(st.integers(1, 4)) for _ in range(count)]
    weights = rng.integers(-3, 4, sizes) * data.draw(st.sampled_from([1, 0.37]))
    if data.draw(st.booleans()):
        options["origin"] = origins(data.draw, sizes)
        if axes is not None and len(axes) < x.ndim:  # weights are in the order of the input's axes
            by_axis = dict(zip(sorted(axes), options["origin"], strict=True))
            options["origin"] = [by_axis[a] for a in axes]
    check("correlate", x, weights, axes=axes, precision=precision, **options)
    options.pop("origin", None)
    check("convolve", x, weights, axes=axes, precision=precision, **options)


@given(calls(), st.data(), PRECISIONS)
def test_along_one_axis(call, data, precision):
    x, rng, options = call
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    weights = rng.standard_normal(data.draw(st.integers(1, 24)))
    weights = data.draw(
        st.sampled_from([weights, weights + weights[::-1], weights - weights[::-1]])
    )
    check("convolve1d", x, weights, axis=axis, precision=precision, **options)
    (options["origin"],) = origins(data.draw, weights.shape)
    check("correlate1d", x, weights, axis=axis, precision=precision, **options)


@given(calls(), st.data(), PRECISIONS)
def test_means(call, data, precision):
    x, _, options = call
    axes = drawn_axes(data.draw, x.ndim)
    count = x.ndim if axes is None else len(axes)
    sizes = [data.draw(st.sampled_from([1, 2, 3, 7, 8, 9, 31, 70])) for _ in range(count)]
    options["origin"] = origins(data.draw, sizes)
    options["mode"] = [data.draw(st.sampled_from(MODES)) for _ in range(count)]
    result = np.dtype(options.get("output", x.dtype))
    if (x.dtype.kind in "fc" and result.kind in "iu") or result == np.uint64:
        options["output"] = x.dtype  # the sums are not exact
    check("uniform_filter", x, sizes, axes=axes, precision=precision, **options)


@given(calls(), st.data(), PRECISIONS)
def test_gaussians(call, data, precision):
    x, _, options = call
    axes = drawn_axes(data.draw, x.ndim)
    count = x.ndim if axes is None else len(axes)
    sigma = [data.draw(st.sampled_from([0, 0.4, 1, 2.3])) for _ in range(count)]
    options["mode"] = [data.draw(st.sampled_from(MODES)) for _ in range(count)]
    if data.draw(st.booleans()):
        options["radius"] = data.draw(st.integers(0, 9))
    check("gaussian_filter", x, sigma, axes=axes, precision=precision, **options)


@given(calls(cases.FLOATS), st.data())
def test_gaussian_derivatives(call, data):
    x, _, options = call
    order = [data.draw(st.integers(0, 4)) for _ in range(x.ndim)]
    check("gaussian_filter", x, 1.5, order, exact=False, **options)
    check("gaussian_laplace", x, 1.2, truncate=3.0, exact=False, **options)
    check("gaussian_gradient_magnitude", x, 1.2, exact=False, **options)


# Without uint64, where a negative difference becomes a number that float64 has not.
@given(calls([d for d in NUMERIC if d != np.uint64]), st.data(), PRECISIONS)
def test_differences(call, data, precision):
    x, _, options = call
    check("laplace", x, axes=drawn_axes(data.draw, x.ndim), precision=precision, **options)
    options["mode"] = [data.draw(st.sampled_from(MODES)) for _ in range(x.ndim)]
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    check("sobel", x, axis=axis, precision=precision, **options)
    check("prewitt", x, axis=axis, precision=precision, **options)


@given(calls(dtypes=(*cases.FLOATS, *cases.COMPLEXES), ranks=(1, 2)), st.data())
def test_complex_weights(call, data):
    x, rng, options = call
    options.pop("output", None)
    weights = cases.values(rng, (3,) * x.ndim, np.complex128)
    check("correlate", x, weights, **options)
    check("convolve", x, weights, **options)
    check("correlate1d", x, weights.ravel(), **options)
    if x.dtype.kind == "c":
        options["cval"] = 1 + 2j
        check("convolve1d", x, weights.ravel(), **options)


@pytest.mark.parametrize("shape", [(0,), (3, 0), (0, 4, 2), ()])
def test_nothing_to_filter(shape):
    x = np.zeros(shape)
    assert ndimage.gaussian_filter(x, 1).shape == shape
    assert ndimage.uniform_filter(x, 3).shape == shape
    assert ndimage.correlate(x, np.ones((3,) * x.ndim)).shape == shape


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.complex64])
@pytest.mark.parametrize("name", ["gaussian_filter", "uniform_filter", "correlate", "laplace"])
def test_output_overlaps_the_input(name, dtype):
    """In place, shifted, reversed: as if into a new array, which the argument returns."""
    rng = np.random.default_rng(3)
    arguments = {"gaussian_filter": (1.5,), "uniform_filter": (7,), "laplace": ()}
    args = arguments.get(name, (rng.standard_normal((3, 3)),))
    function = getattr(ndimage, name)
    for source, target in [(np.s_[:], np.s_[:]), (np.s_[:-5], np.s_[5:]), (np.s_[:], np.s_[::-1])]:
        memory = samples(rng, (70, 90), dtype)
        want = function(memory[source].copy(), *args)
        got = function(memory[source], *args, output=memory[target])
        assert got.base is memory and np.array_equal(memory[target], want)


@pytest.mark.parametrize("name", ["gaussian_filter", "uniform_filter", "correlate1d"])
def test_nan_stays_local(name):
    """What a NaN does not reach has the same bits as without it."""
    rng = np.random.default_rng(4)
    x = rng.standard_normal((120, 300)).astype(np.float32)
    args = {"gaussian_filter": (2.0,), "uniform_filter": (17,), "correlate1d": (np.ones(17),)}[name]
    clean = getattr(ndimage, name)(x, *args)
    x[60, 100] = np.nan
    got = getattr(ndimage, name)(x, *args)
    reached = np.zeros(x.shape, bool)
    reached[60 if name == "correlate1d" else slice(52, 69), 92:109] = True
    assert np.array_equal(np.isnan(got), reached) and np.array_equal(got[~reached], clean[~reached])


def test_zero_weights_do_not_spread_nan():
    x = np.zeros((9, 9), np.float32)
    x[4, 4] = np.nan
    cross = [[0, 1, 0], [1, 1, 1], [0, 1, 0]]
    assert np.isnan(ndimage.correlate(x, cross)).sum() == 5


def test_means_do_not_drift():
    """A large value leaves no trace in the windows that it has left."""
    x = np.ones(4000, np.float32)
    x[1000] = 1e9
    y = ndimage.uniform_filter1d(x, 15)
    assert (y[1100:] == y[0]).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64, np.complex128])
def test_same_bits_for_any_number_of_workers(dtype):
    rng = np.random.default_rng(5)
    x = samples(rng, (700, 900), dtype)
    weights = rng.standard_normal((3, 4))
    for name, args in [
        ("gaussian_filter", (1.3,)),
        ("uniform_filter", (23,)),
        ("correlate", (weights,)),
        ("sobel", ()),
    ]:
        function = getattr(ndimage, name)
        one, two, three = (function(x, *args, workers=n) for n in (1, 2, 3))
        assert np.array_equal(one, two) and np.array_equal(one, three)


LAYOUTS = {
    "channels": lambda x: np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 0, -1)), -1, 0),
    "columns": lambda x: np.ascontiguousarray(x.transpose(0, 2, 1)).transpose(0, 2, 1),
    "reversed": lambda x: np.ascontiguousarray(x[:, ::-1, ::-1])[:, ::-1, ::-1],
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("mode", ["reflect", "constant"])
@pytest.mark.parametrize("output", [np.uint8, np.float32])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_layouts_of_memory_change_no_bit(dtype, output, mode, layout):
    """Of images of several blocks, read or written as channels of pixels, or column by column."""
    rng = np.random.default_rng(6)
    x = (rng.random((3, 150, 700)) * 200).astype(dtype)
    placed = LAYOUTS[layout](x)
    assert not placed.flags.c_contiguous
    for name, arguments in {"gaussian_filter": (1.5,), "uniform_filter": (4,)}.items():
        filtered = functools.partial(getattr(ndimage, name), mode=mode, cval=3, axes=(1, 2))
        want = filtered(x, *arguments, output=output)
        y = LAYOUTS[layout](np.zeros(x.shape, output))
        for source, target in (placed, output), (x, y), (placed, y):
            result = filtered(source, *arguments, output=target)
            np.testing.assert_array_equal(y if target is y else result, want)


@pytest.mark.parametrize("size", [15, 16, 33, 100, 700, 3001])
@pytest.mark.parametrize("shape", [(5000,), (3, 900), (90, 70), (7, 40, 50)], ids=str)
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64, np.complex64])
def test_long_means(dtype, shape, size):
    """Windows as long as blocks, lines and more, along each axis and along all."""
    x = samples(np.random.default_rng(7), shape, dtype)
    for axis, mode in zip(range(len(shape)), ["reflect", "constant", "wrap"], strict=False):
        check("uniform_filter1d", x, size, axis, mode=mode, cval=2.0, origin=size // 3)
    check("uniform_filter", x, size, mode="mirror")


@pytest.mark.parametrize("size", [130, 700, 3001])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64])
def test_a_row_alone_has_the_means_it_has_among_others(dtype, size):
    x = samples(np.random.default_rng(8), (40, 9000), dtype)
    among = ndimage.uniform_filter1d(x, size)
    for row, mean in zip(x[::13], among[::13], strict=True):
        assert np.array_equal(ndimage.uniform_filter1d(row, size), mean)


@pytest.mark.parametrize("mode", MODES[:5])
@pytest.mark.parametrize("dtype", [np.float32, np.complex64])
def test_rows_of_the_input_itself(dtype, mode):
    """Images of several blocks, and of fewer columns than a window."""
    rng = np.random.default_rng(9)
    for shape in [(70, 1300), (300, 40), (5, 9), (3, 150, 70)]:
        x = samples(rng, shape, dtype)
        for view in (x, x[::-1], x[..., ::-1], x[:, 1:]):
            check("gaussian_filter", view, 1.5, axes=(-2, -1), mode=mode, cval=3.0)
        check("uniform_filter", x, (1,) * (x.ndim - 2) + (7, 12), mode=mode, cval=3.0)


WEIGHTS = {
    "thirds": np.full(3, 1 / 3),
    "halves": np.array([0.25, 0.5, 0.25]),
    "sums to one but for roundings": np.full(10, 0.1),
    "sums to less": np.full(7, 1 / 7) - 1e-17,
    "difference": np.array([-0.5, 0, 0.5]),
    "small": np.array([1e-9, 2e-9, 1e-9]),
    "large": np.array([1e4, -3e3, 7.7e2]),
    "long": np.hanning(121) / 60,
    "wide range": np.array([1e-12, 1.0, 1e-7, 0.5]),
    "bell of nine": np.exp(-(np.arange(-4, 5) ** 2) / 2) / 2.5066,
    "bell of seven": np.exp(-(np.arange(-3, 4) ** 2)) / np.exp(-(np.arange(-3, 4) ** 2)).sum(),
    "one": np.array([0.0, 1.0, 0.0]),
}


@pytest.mark.parametrize("mode", MODES[:5])
@pytest.mark.parametrize(("dtype", "width"), [(np.uint8, 17000), (np.float32, 4500)])
def test_strips_of_long_rows(dtype, width, mode):
    """Rows that are read where they lie, cut into strips that take their ends from each other."""
    x = samples(np.random.default_rng(9), (2, 13, width), dtype)
    options = {"axes": (1, 2), "mode": ["nearest", mode], "cval": 2.0}
    for size, origin in [((5, 3), (1, -1)), ((2, 11), (0, 5)), ((7, 18), (-3, 8))]:
        check("uniform_filter", x, size, exact=False, origin=origin, **options)
    check("gaussian_filter", x, 1.0, order=(0, 1), **options)


@pytest.mark.parametrize("name", WEIGHTS)
@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint16])
def test_sums_of_small_integers_near_whole_numbers(dtype, name):
    """Level parts, steps and noise: cut off as sums in float64 are."""
    rng = np.random.default_rng(8)
    info = np.iinfo(dtype)
    level = np.repeat(np.linspace(info.min, info.max, 40).astype(dtype), 40)
    steps = np.tile(np.array([0, 1, 2, info.max, info.max - 1], dtype), 320)
    noise = rng.integers(info.min, info.max, 1600, dtype, endpoint=True)
    x = np.stack([level, steps, noise, np.zeros(1600, dtype), *noise.reshape(2, 800).repeat(2, 1)])
    w = WEIGHTS[name]
    check("correlate1d", x, w, mode="constant", cval=1.0)
    check("correlate1d", x, w, mode="constant", cval=0.5)
    check("correlate1d", x, w, 0)
    check("correlate", x, np.outer(w[:3], w[:7]) / np.abs(w).max())


@pytest.mark.parametrize("output", [None, np.int16, np.uint16, np.int32, np.uint32])
@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint16])
def test_sums_with_whole_weights(dtype, output):
    """Which wrap, of samples up to the largest, with sums within 32 bits."""
    rng = np.random.default_rng(11)
    limits = np.iinfo(dtype)
    for shape in [(40, 333), (7, 9), (3, 30, 70)]:
        x = rng.integers(limits.min, limits.max, shape, dtype, endpoint=True)
        for most in 2, 9, 1000, 3000:
            line, block = (rng.integers(-most, most + 1, n) for n in (5, (3,) * len(shape)))
            if output is None or most < 1000:  # what is beyond the output's own bits
                check("correlate1d", x, line, 0, output, cval=-3, mode="constant")
                check("correlate1d", x, np.append(line, line[::-1][1:]), -1, output)
                check("convolve", x, block, output, mode="nearest")
        for mode in MODES[:5]:
            check("sobel", x, 0, output, mode=mode, cval=2)
            check("prewitt", x, output=output, mode=mode, cval=2)
            check("laplace", x, output, mode=mode, cval=2)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint16])
def test_means_of_small_integers_that_are_almost_whole(dtype):
    """Sums of one less than a multiple of the window's size, of that and of one more, up to the
    largest.
    """
    limits = np.iinfo(dtype)
    for size in range(2, 131):
        x = np.full((4, 8 * size + 40), limits.max, dtype)
        x[1] = limits.min
        x[2] = np.arange(x.shape[1]) // size
        for step, row in enumerate(x[:3], 2):
            row[:: size - 1] -= 1
            row[:: size * step + 1] += 1
        for image in x, np.ascontiguousarray(x.T):
            axis = int(np.argmax(image.shape))
            check("uniform_filter1d", image, size, axis, mode="nearest")


@pytest.mark.parametrize("sigma", [0.5, 1, 3, 8])
def test_gaussians_of_bytes_in_smooth_places(sigma):
    """Level parts, slopes and waves, where a sum is a whole number but for its roundings, or the
    smallest weight away from one.
    """
    n = 100
    i = np.arange(256 * n)
    level, slope, steep = i // n, i // 3 % 256, i % 256
    wave = 127 * (1 + np.sin(i / 97))
    spots = np.where(i % 71 == 0, level ^ 1, level)
    x = np.stack([level, slope, steep, wave, spots, 255 - spots]).astype(np.uint8)
    check("gaussian_filter1d", x, sigma)
    check("gaussian_filter1d", np.ascontiguousarray(x.T), sigma, 0)


def test_blocks_change_no_bit():
    """Rows of a large image are those of a small one around them.

    Long means are added up in runs: the small one begins whole windows after the large one.
    """
    x = np.random.default_rng(6).standard_normal((900, 1100)).astype(np.float32)
    part = np.s_[12 * 33 : 530, 14 * 33 : 700]
    inside = np.s_[40:-40, 40:-40]
    for name, args in [("gaussian_filter", (3.0,)), ("uniform_filter", (33,)), ("sobel", ())]:
        function = getattr(ndimage, name)
        assert np.array_equal(function(x, *args)[part][inside], function(x[part], *args)[inside])
