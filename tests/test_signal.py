"""pyconvc.signal against its twins in the reference and against scipy.signal itself."""

import fractions
import itertools

import cases
import numpy as np
import pytest
import scipy.fft
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st

import pyconvc
from pyconvc import _lines, reference, signal

# Boundaries by our names and by those of the reference.
BOUNDARIES = {
    "fill": "constant",
    "wrap": "circular",
    "symm": "symmetric",
    "mirror": "reflect",
    "edge": "replicate",
}
ORDERS = [1, -1]
HALF = np.dtype(np.float16)
METHODS = ["auto", "direct", "fft"]

boundaries = st.sampled_from(sorted(BOUNDARIES))
dtypes = st.sampled_from([*cases.DTYPES, HALF])
many = settings(max_examples=4 * settings.default.max_examples)


def twin(name):
    return getattr(reference.signal, name)


def theirs(name):
    """scipy's function, which may cast memory that it has not yet written, NaN among it."""
    return np.errstate(invalid="ignore")(getattr(scipy.signal, name))


def ours(name):
    return getattr(signal, name)


def outcome(function, *args, **keywords):
    """The result, or the type of the exception."""
    try:
        return function(*args, **keywords)
    except (ValueError, TypeError) as error:
        return type(error)


def pair(shapes, order, kinds, seed=5):
    """Two random arrays, exchanged where the order is -1."""
    arrays = [
        cases.random(s, d, seed + i) for i, (s, d) in enumerate(zip(shapes, kinds, strict=True))
    ]
    return arrays[::order]


def size_of_sums(a, b, fill=0):
    """A bound of all partial sums over the samples of b, 1 at least."""
    kind = np.clongdouble if np.result_type(a, b).kind == "c" else np.longdouble
    a, b = (np.abs(np.asarray(array, kind)) for array in (a, b))
    return float(max(1, a.max(initial=abs(fill)) * b.sum()))


def assert_agree(got, want, a, b, fill=0, **context):
    """Equal results, as exactly as any order of summation allows, or errors of one type."""
    if isinstance(want, type):
        assert got is want, (got, want, context)
        return
    inexact = np.result_type(a, b).kind in "fc"
    scale = size_of_sums(a, b, fill) if inexact else None
    terms = max(4, np.size(b) // 8)
    cases.assert_same(got, want, terms=terms, scale=scale, **context)


# ---- the reference


@many
@given(
    cases.signal_calls(),
    st.sampled_from(["convolve", "correlate"]),
    st.tuples(dtypes, dtypes),
    st.tuples(boundaries, boundaries, boundaries),
    st.sampled_from(["auto", "direct"]),
    st.integers(0, 2),
)
def test_any_call(call, name, kinds, rules, method, fill):
    a, b = call.arrays(*kinds)
    rules = rules[: a.ndim]
    got = ours(name)(a, b, call.mode, method, boundary=rules, fillvalue=fill)
    names = [BOUNDARIES[rule] for rule in rules]
    want = twin(name)(a, b, call.mode, boundary=names, fillvalue=fill)
    assert_agree(got, want, a, b, fill, call=call, rules=rules, method=method)


@many
@given(
    cases.signal_calls(),
    st.sampled_from(["convolve", "correlate", "convolve2d", "correlate2d"]),
    st.sampled_from(cases.DTYPES),
    st.sampled_from([*BOUNDARIES, "constant", "pad"]),
    st.sampled_from(["auto", "direct"]),
    st.booleans(),
)
def test_any_call_of_one_dtype_and_rule(call, name, dtype, rule, method, has_out):
    """Small ones take the shortest way; what it does not take must have the same result."""
    a, b = call.arrays(dtype, dtype)
    name = name if a.ndim == 2 else name.removesuffix("2d")
    method = {} if name.endswith("2d") else {"method": method}
    want = outcome(twin(name), a, b, call.mode, boundary=BOUNDARIES.get(rule, "constant"))
    options = {"boundary": rule, "workers": 1} | method
    if has_out and not isinstance(want, type):
        options["out"] = np.full(np.shape(want), 77).astype(want.dtype)
    got = outcome(ours(name), a, b, call.mode, **options)
    assert "out" not in options or got is options["out"]
    assert_agree(got, want, a, b, call=call, options=options)


@given(
    cases.signal_calls(ranks=(2, 3)),
    st.sampled_from(["convolve", "correlate"]),
    st.sampled_from(cases.DTYPES),
    boundaries,
    st.data(),
)
def test_some_axes(call, name, dtype, rule, data):
    """Along the other axes the arrays broadcast."""
    a, b = call.arrays(dtype, dtype)
    axes = data.draw(st.lists(st.integers(-a.ndim, a.ndim - 1), min_size=1, max_size=3))
    axes = list({axis % a.ndim: axis for axis in axes}.values())
    for axis in {*range(a.ndim)} - {axis % a.ndim for axis in axes}:
        b = b.take([0] * data.draw(st.sampled_from([1, a.shape[axis]])), axis)
    a, b = data.draw(st.sampled_from([(a, b), (b, a)])) if call.mode != "valid" else (a, b)
    got = ours(name)(a, b, call.mode, boundary=rule, axes=axes)
    want = twin(name)(a, b, call.mode, boundary=BOUNDARIES[rule], axes=axes)
    assert_agree(got, want, a, b, call=call, axes=axes, rule=rule)


@given(
    cases.signal_calls(),
    st.sampled_from(sorted(cases.VIEWS)),
    st.sampled_from(cases.DTYPES),
    st.sampled_from(METHODS[:2]),
)
@pytest.mark.parametrize("name", ["convolve", "correlate"])
def test_any_layout_of_the_inputs(name, call, view, dtype, method):
    a, b = call.arrays(dtype, dtype, view)
    got, want = ours(name)(a, b, call.mode, method), twin(name)(a, b, call.mode)
    assert_agree(got, want, a, b, call=call, view=view)
    assert got.dtype.isnative
    assert got.flags.c_contiguous


@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=3),
    st.integers(1, 300),
    st.integers(1, 40),
    st.sampled_from(cases.DTYPES),
    st.sampled_from(cases.MODES),
    boundaries,
    st.data(),
)
def test_rows(lead, n, k, dtype, mode, rule, data):
    """convolve1d: one filter for all rows, one for each, or for each along some axes."""
    axis = data.draw(st.integers(-len(lead) - 1, -1))
    filters = [data.draw(st.sampled_from([1, size])) for size in lead]
    filters = data.draw(st.sampled_from([filters, filters[1:]]))
    a = cases.random(inserted(lead, axis, n), dtype, 1)
    v = cases.random(inserted(filters, axis, k) if -axis <= len(filters) + 1 else k, dtype, 2)
    got = signal.convolve1d(a, v, axis, mode, rule)
    want = twin("convolve1d")(a, v, axis, mode, BOUNDARIES[rule])
    assert_agree(got, want, a, v, shapes=(a.shape, v.shape), axis=axis, mode=mode)


def inserted(shape, axis, n):
    """The shape with an axis more, of length n, at a place counted from the end."""
    place = len(shape) + 1 + axis
    return (*shape[:place], n, *shape[place:])


def test_rows_of_the_filter_alone():
    """A signal without leading axes meets every filter of a bank."""
    a, v = cases.random(50), cases.random((3, 1, 7))
    got = signal.convolve1d(a, v, mode="same")
    assert got.shape == (3, 1, 50)
    for row, taps in zip(got[:, 0], v[:, 0], strict=True):
        cases.assert_same(row, np.convolve(a, taps, "same"))


LARGE = [
    ((300_001,), (41,)),
    ((301, 517), (7, 4)),
    ((1, 100_000), (1, 9)),
    ((100_000, 1), (9, 1)),
    ((31, 47, 201), (3, 4, 5)),
    ((3, 19, 1400), (2, 3, 5)),
    ((9, 5, 21, 160), (2, 3, 3, 4)),
    ((3, 4, 5, 6, 70), (2, 1, 3, 2, 5)),
]


@pytest.mark.parametrize("dtype", ["float32", "complex128", "int16", "bool"])
@pytest.mark.parametrize("shapes", LARGE, ids=str)
def test_large(shapes, dtype):
    a, b = pair(shapes, 1, (dtype, dtype))
    for name, mode in (("convolve", "full"), ("correlate", "same"), ("correlate", "valid")):
        want = twin(name)(a, b, mode)
        assert_agree(ours(name)(a, b, mode), want, a, b, name=name, mode=mode)


@pytest.mark.parametrize("dtype", ["float64", "complex64", "uint8"])
@pytest.mark.parametrize("shapes", LARGE, ids=str)
def test_large_kernel(shapes, dtype):
    """The longer array comes second."""
    a, b = pair(shapes, 1, (dtype, dtype))
    for mode in ("full", "valid"):
        assert_agree(signal.convolve(b, a, mode), twin("convolve")(a, b, mode), a, b)
        turned = np.flip(twin("correlate")(a, b, mode)).conj()
        assert_agree(signal.correlate(b, a, mode), turned, a, b)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("name", ["convolve", "correlate"])
def test_ranks_above_three(name, boundary):
    names = BOUNDARIES[boundary]
    for shapes in [((3, 4, 5, 6), (2, 1, 3, 4)), ((2, 3, 2, 3, 7), (1, 2, 3, 2, 3))]:
        a, b = pair(shapes, 1, ("f8", "f8"))
        for mode in cases.MODES[:2]:
            got = ours(name)(a, b, mode, boundary=boundary, fillvalue=2)
            want = twin(name)(a, b, mode, boundary=names, fillvalue=2)
            assert_agree(got, want, a, b, 2, shapes=shapes, mode=mode)


@pytest.mark.parametrize("method", METHODS[:2])
@pytest.mark.parametrize("spoiled", [0, 1])
@pytest.mark.parametrize("name", ["convolve", "correlate"])
@pytest.mark.parametrize("mode", cases.MODES)
@pytest.mark.parametrize("special", [np.nan, np.inf])
def test_special_values_stay_local(special, mode, name, spoiled, method):
    """Padding counts as zeros, whichever of the arrays is the longer."""
    for shapes in [((900,), (301,)), ((40, 41), (17, 12))]:
        arrays = pair(shapes, 1, (float, float))
        arrays[spoiled][tuple(n // 3 for n in arrays[spoiled].shape)] = special
        a, b = arrays
        want = twin(name)(a, b, mode)
        assert_agree_where_finite(ours(name)(a, b, mode, method), want)
        if mode == "valid":
            turned = want if name == "convolve" else np.flip(want)
            assert_agree_where_finite(ours(name)(b, a, mode, method), turned)
        else:
            want = twin(name)(b, a, mode)
            assert_agree_where_finite(ours(name)(b, a, mode, method), want)


def assert_agree_where_finite(got, want):
    """And NaN or infinite alike elsewhere."""
    cases.assert_same(got, want, terms=1000)


# ---- scipy


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("mode", cases.MODES)
@pytest.mark.parametrize("name", ["convolve", "correlate"])
def test_scipy_any_dtypes(name, mode, order):
    for kinds in itertools.product(cases.DTYPES, repeat=2):
        for shapes in [((7,), (4,)), ((4, 6), (4, 3))]:
            if kinds == (bool, bool):
                continue  # scipy refuses most of them
            a, b = pair(shapes, order, kinds)
            want = theirs(name)(a, b, mode, "direct")
            assert_agree(ours(name)(a, b, mode), want, a, b, kinds=kinds, shapes=shapes)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("mode", cases.MODES)
@pytest.mark.parametrize("name", ["convolve", "correlate"])
@pytest.mark.parametrize("rank", [1, 2, 3, 4, 5])
def test_scipy_any_shapes(rank, name, mode, order):
    for shapes in cases.shape_pairs(rank):
        kinds = [(float, float), (np.complex64, complex), (np.uint8, np.int8)]
        for dtypes in kinds[: 3 if rank < 4 else 1]:
            a, b = pair(shapes, order, dtypes)
            want = outcome(theirs(name), a, b, mode, "direct")
            got = outcome(ours(name), a, b, mode)
            assert_agree(got, want, a, b, shapes=shapes, dtypes=dtypes)


PLANES = [
    *cases.shape_pairs(2),
    ((1, 1), (5, 4)),
    ((2, 3), (9, 12)),
    ((1, 40), (1, 7)),
    ((40, 1), (7, 1)),
    ((8, 280), (5, 6)),
    ((20, 140), (1, 1)),
]
PLANE_DTYPES = [
    ("f8", "f8"),
    ("f4", "f4"),
    ("f4", "f8"),
    ("c16", "c16"),
    ("c8", "f4"),
    ("u1", "u1"),
    ("u1", "i2"),
    ("i8", "f4"),
    ("u8", "i8"),
    ("i4", "?"),
]


@pytest.mark.parametrize("kinds", PLANE_DTYPES, ids=str)
@pytest.mark.parametrize("boundary", ["fill", "wrap", "symm"])
@pytest.mark.parametrize("mode", cases.MODES)
@pytest.mark.parametrize("name", ["convolve2d", "correlate2d"])
def test_scipy_planes(name, mode, boundary, kinds):
    for shapes, (order, fill) in itertools.product(PLANES, [(1, 0), (1, 3), (-1, 2)]):
        a, b = pair(shapes, order, kinds)
        want = outcome(theirs(name), a, b, mode, boundary, fill)
        got = outcome(ours(name), a, b, mode, boundary, fill)
        assert_agree(got, want, a, b, fill, shapes=shapes, order=order)


@many
@given(
    st.tuples(*[st.integers(1, 40)] * 4),
    st.sampled_from(["convolve2d", "correlate2d"]),
    st.sampled_from(cases.MODES),
    st.sampled_from(["fill", "pad", "wrap", "circular", "symm", "symmetric"]),
    st.sampled_from(["f4", "c16", "i2"]),
    st.complex_numbers(max_magnitude=9),
)
def test_scipy_planes_of_any_size(sizes, name, mode, boundary, dtype, fill):
    fill = {"c": fill, "f": fill.real, "i": int(fill.real)}[dtype[0]]
    a, b = pair((sizes[:2], sizes[2:]), 1, (dtype, dtype))
    want = outcome(theirs(name), a, b, mode, boundary, fill)
    got = outcome(ours(name), a, b, mode, boundary, fill)
    assert_agree(got, want, a, b, fill, sizes=sizes, boundary=boundary)


def test_scipy_planes_without_samples():
    lengths = [(0, 3), (3, 0), (0, 0), (3, 3)]
    names = ["convolve2d", "correlate2d"]
    for name, mode, fill in itertools.product(names, cases.MODES, (0, 3)):
        for shapes in itertools.product(lengths, repeat=2):
            a, b = pair(shapes, 1, (float, float))
            want = outcome(theirs(name), a, b, mode, "fill", fill)
            got = outcome(ours(name), a, b, mode, "fill", fill)
            assert_agree(got, want, a, b, fill, shapes=shapes, mode=mode)


@pytest.mark.parametrize("boundary", ["wrap", "symm"])
@pytest.mark.parametrize("fill", [-3, 10**30, 2j, None, "x", [1, 2]], ids=str)
def test_scipy_planes_with_a_value_that_is_not_used(boundary, fill):
    a, b = pair(((6, 5), (3, 3)), 1, ("u2", "u2"))
    want = theirs("convolve2d")(a, b, "same", boundary, fill)
    got = ours("convolve2d")(a, b, "same", boundary, fill)
    assert_agree(got, want, a, b)


TRANSFORMED = ["?", "u1", "i8", "f2", "f4", "f8", "c8", "c16"]


@pytest.mark.parametrize("name", ["fftconvolve", "oaconvolve"])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("mode", cases.MODES)
def test_scipy_transforms_of_any_dtypes(name, mode, order):
    for kinds in itertools.product(TRANSFORMED, repeat=2):
        a, b = pair(((6, 9), (3, 4)), order, kinds)
        want = theirs(name)(a, b, mode)
        got = ours(name)(a, b, mode)
        single = np.dtype(np.float32) if {"f2", "f4", "c8"}.intersection(kinds) else None
        cases.assert_same(got, want, scale=size_of_sums(a, b), precision=single, kinds=kinds)


@many
@given(
    cases.signal_calls(),
    st.sampled_from(["fftconvolve", "oaconvolve"]),
    st.sampled_from(["f4", "f8", "c16"]),
    st.data(),
)
def test_scipy_transforms_along_any_axes(call, name, dtype, data):
    """Where axes are not convolved one array has length 1, or both have the same."""
    a, b = call.arrays(dtype, dtype)
    axes = data.draw(st.sets(st.integers(0, a.ndim - 1), min_size=1))
    for axis in {*range(a.ndim)} - axes:
        b = b.take([0] * data.draw(st.sampled_from([1, a.shape[axis]])), axis)
    axes = data.draw(st.sampled_from([sorted(axes), sorted(axes, reverse=True)]))
    want = outcome(theirs(name), a, b, call.mode, axes)
    got = outcome(ours(name), a, b, call.mode, axes)
    assert_agree(got, want, a, b, call=call, axes=axes)


def test_scipy_transforms_of_nothing():
    for name, mode in itertools.product(["fftconvolve", "oaconvolve"], cases.MODES):
        for a, b in [([], [1.0]), ([1.0], []), (np.ones((2, 0)), np.ones((1, 1)))]:
            cases.assert_same(ours(name)(a, b, mode), theirs(name)(a, b, mode))


@pytest.mark.parametrize("mode", cases.MODES)
def test_scipy_lags(mode):
    for n, k in itertools.product(range(1, 9), repeat=2):
        want = scipy.signal.correlation_lags(n, k, mode)
        cases.assert_same(signal.correlation_lags(n, k, mode), want)


@pytest.mark.parametrize("name", ["convolve", "correlate", "fftconvolve", "oaconvolve"])
def test_scipy_numbers(name):
    for a, b in [(2, 3), (2, 1j), (np.float32(2), np.int8(3)), (np.array(1j), np.array(2j))]:
        got, want = ours(name)(a, b), theirs(name)(a, b)
        assert got == want
        assert np.asarray(got).dtype == np.asarray(want).dtype


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("dtype", cases.DTYPES, ids=str)
@pytest.mark.parametrize("name", ["convolve", "correlate"])
def test_volumes_with_taps_along_depth_and_width(name, dtype, boundary):
    a, b = cases.random((9, 5, 21), dtype, 1), cases.random((4, 1, 3), dtype, 2)
    for mode in cases.MODES:
        want = twin(name)(a, b, mode, boundary=BOUNDARIES[boundary])
        for array in (a, a[::-1, :, ::-1].copy()[::-1, :, ::-1], np.asfortranarray(a)):
            got = ours(name)(array, b, mode, "direct", boundary=boundary)
            assert_agree(got, want, a, b, mode=mode)


# ---- methods


@pytest.mark.parametrize("dtype", [*cases.DTYPES, HALF], ids=str)
@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("name", ["convolve", "correlate"])
def test_every_method_gives_the_same(name, boundary, dtype):
    """With a kernel of rank 1 and integers small enough for a transform."""
    a = (
        (cases.random((37, 41), dtype, 1) % 5)
        if dtype.kind in "iu"
        else cases.random((37, 41), dtype, 1)
    )
    b = np.multiply.outer(np.array([1, 2, 0, 1], dtype), np.array([1, 0, 3], dtype))
    for mode in cases.MODES:
        want = twin(name)(a, b, mode, boundary=BOUNDARIES[boundary])
        for method in (*METHODS, "separable"):
            got = ours(name)(a, b, mode, method, boundary=boundary)
            assert_agree(got, want, a, b, method=method, mode=mode)


@pytest.mark.parametrize("sequence", [list, tuple, np.array])
def test_any_sequence_of_boundaries(sequence):
    a, b = cases.random((5, 6)), cases.random((3, 2))
    want = twin("correlate")(a, b, boundary=("circular", "symmetric"))
    assert_agree(signal.correlate(a, b, boundary=sequence(["wrap", "symm"])), want, a, b)


@pytest.mark.parametrize("method", ["fft", "separable"])
def test_methods_with_a_rule_for_each_axis(method):
    a, b = cases.random((19, 23, 29)), np.multiply.outer(np.ones((3, 1)), np.arange(5.0))
    for rules in itertools.permutations(BOUNDARIES, 3):
        names = [BOUNDARIES[rule] for rule in rules]
        got = signal.convolve(a, b, "same", method, boundary=rules, fillvalue=2)
        want = twin("convolve")(a, b, "same", boundary=names, fillvalue=2)
        assert_agree(got, want, a, b, 2, rules=rules)


WEIGHED = [
    ((300,), (5,), "float64"),
    ((3_000_000,), (1001,), "float32"),
    ((900, 900), (41, 41), "float64"),
    ((900, 900), (3, 3), "uint8"),
    ((200, 200), (61, 61), "uint8"),
    ((60, 61, 62), (9, 9, 9), "complex64"),
]


@pytest.mark.parametrize("kernel", ["random", "ones"])
@pytest.mark.parametrize(("n", "k", "dtype"), WEIGHED, ids=str)
def test_auto_is_what_choose_tells(n, k, dtype, kernel):
    a, b = cases.random(n, dtype), cases.random(k, dtype, 1)
    if kernel == "ones":
        b = np.ones_like(b)
    choice = signal.choose(a, b, "same")
    asked = signal.choose_conv_method(a, b, "same")
    assert asked == ("fft" if choice.method == "fft" else "direct")
    assert choice.method in choice.seconds
    assert choice.reason
    got, named = (signal.convolve(a, b, "same", method) for method in ("auto", choice.method))
    assert got.tobytes() == named.tobytes()


def test_choose_conv_method_measured():
    method, times = signal.choose_conv_method(np.ones(3000), np.ones(40), measure=True)
    assert sorted(times) == ["direct", "fft"]
    assert method == min(times, key=times.get)
    assert all(seconds > 0 for seconds in times.values())


# ---- what goes to scipy


@pytest.fixture(params=["scipy as it is", "scipy patched"])
def patched(request, monkeypatch):
    """Ours may stand in for scipy's functions under all names that scipy has for them."""
    if request.param == "scipy patched":
        names = {*pyconvc.signal.__all__}.intersection(dir(scipy.signal))
        for place, name in itertools.product([scipy.signal, scipy.signal._signaltools], names):
            monkeypatch.setattr(place, name, ours(name))


@pytest.mark.usefixtures("patched")
@pytest.mark.parametrize("name", ["convolve", "correlate"])
def test_objects(name):
    thirds = [fractions.Fraction(i, 3) for i in range(5)]
    got = ours(name)(np.array(thirds), np.array(thirds[1:3]), "valid")
    want = twin(name)(np.array(thirds), np.array(thirds[1:3]), "valid")
    assert got.dtype == object
    assert got.tolist() == want.tolist()


@pytest.mark.usefixtures("patched")
@pytest.mark.parametrize("dtype", [np.longdouble, np.clongdouble])
def test_long_doubles(dtype):
    a, b = cases.random((6, 7), dtype, 1), cases.random((3, 2), dtype, 2)
    a = a + a * np.finfo(dtype).eps  # more digits than a double has
    for name, mode in itertools.product(["convolve", "correlate", "fftconvolve"], cases.MODES):
        got, want = ours(name)(a, b, mode), twin(name)(a, b, mode)
        cases.assert_same(got, want, scale=size_of_sums(a, b), name=name, mode=mode)


@pytest.mark.usefixtures("patched")
def test_long_doubles_and_objects_with_out():
    for dtype in (object, np.longdouble):
        a, b, out = np.array([1, 2, 3], dtype), np.array([1, 1], dtype), np.zeros(4, dtype)
        assert signal.convolve(a, b, out=out) is out
        assert out.tolist() == [1, 3, 5, 3]


@pytest.mark.parametrize("options", [{"boundary": "wrap"}, {"fillvalue": 1}, {"axes": 0}])
def test_what_scipy_cannot_do_with_objects(options):
    a = np.array([1, 2, 3], object)
    with pytest.raises(TypeError, match=next(iter(options))):
        signal.convolve(a, a, **options)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["convolve", "correlate"])
def test_half_precision_is_summed_in_single(name, method):
    ones = np.ones(3000, HALF)
    got = ours(name)(ones, ones, "valid", method)
    assert got.dtype == HALF
    assert got == 3000


# ---- out=


def outputs(shape, dtype):
    """Arrays of a shape, in all layouts, full of what must not stay."""
    yield np.full(shape, 77, dtype)
    yield np.full(shape, 77, dtype, order="F")
    yield np.full([2 * n for n in shape], 77, dtype)[tuple(slice(1, None, 2) for _ in shape)]
    yield np.flip(np.full(shape, 77, dtype))
    store = bytearray(np.dtype(dtype).itemsize * int(np.prod(shape)) + 1)
    yield np.ndarray(shape, dtype, store, offset=1)


@pytest.mark.parametrize("dtype", ["f8", "f2", "c8", "u2", "?"])
@pytest.mark.parametrize(
    ("n", "k"), [((40, 150), (3, 4)), ((9, 1), (4, 1)), ((3, 4, 5, 6), (2,) * 4)]
)
@pytest.mark.parametrize("method", [*METHODS, "separable"])
def test_out(method, n, k, dtype):
    a, b = (np.arange(np.prod(n)) % 7).reshape(n).astype(dtype), np.ones(k, dtype)
    for name, mode in (("convolve", "full"), ("correlate", "same"), ("convolve", "valid")):
        want = ours(name)(a, b, mode, method)
        for out in outputs(want.shape, want.dtype):
            assert ours(name)(a, b, mode, method, out=out) is out
            cases.assert_same(np.array(out), want, scale=size_of_sums(a, b), mode=mode)


@pytest.mark.parametrize(
    "name", ["convolve2d", "correlate2d", "fftconvolve", "oaconvolve", "convolve1d"]
)
def test_out_of_every_function(name):
    a, b = cases.random((30, 40)), cases.random((4, 5) if name != "convolve1d" else 5)
    want = ours(name)(a, b)
    for out in outputs(want.shape, want.dtype):
        assert ours(name)(a, b, out=out) is out
        cases.assert_same(np.array(out), want, scale=size_of_sums(a, b))


def test_out_of_numbers():
    out = np.zeros(())
    for name in ("convolve", "correlate", "fftconvolve"):
        assert ours(name)(2.0, 3.0, out=out) is out
        assert out == 6


# ---- inputs of other kinds


class Arrayable:
    """What NumPy asks for an array."""

    def __array__(self, dtype=None, copy=None):
        return np.array([1.0, 2.0, 3.0])


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
def test_inputs_that_numpy_understands():
    for a in (
        [1.0, 2.0, 3.0],
        (1.0, 2.0, 3.0),
        range(1, 4),
        Arrayable(),
        memoryview(np.arange(1.0, 4)),
    ):
        got = signal.convolve(a, [1.0, 1.0])
        assert type(got) is np.ndarray
        assert got.tolist() == [1, 3, 5, 3]
    got = signal.convolve(np.matrix([[1.0, 2.0]]), np.ones((1, 2)))
    assert type(got) is np.ndarray
    assert got.tolist() == [[1, 3, 2]]


def test_workers_do_not_change_a_bit():
    """Of the functions and methods; the passes below have their own test."""
    a, b = cases.random((300, 400)), np.multiply.outer(np.arange(1.0, 8), np.arange(2.0, 8))
    for method in (*METHODS, "separable"):
        one = signal.convolve(a, b, method=method, workers=1)
        for workers in (2, 3, -1, None):
            assert signal.convolve(a, b, method=method, workers=workers).tobytes() == one.tobytes()
    rows = cases.random((8, 20_000))
    one = signal.convolve1d(rows, rows[:, :30], workers=1)
    assert signal.convolve1d(rows, rows[:, :30], workers=3).tobytes() == one.tobytes()


@pytest.mark.parametrize("boundary", ["fill", "wrap", "symm"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16, np.complex64])
@pytest.mark.parametrize(
    ("n", "taps"), [(40, 3), (130, 2), (256, 9), (256, 31), (256, 64), (600, 9)]
)
def test_many_short_rows(n, taps, dtype, boundary):
    """Lines are packed, copied or read in place but for their borders, as their length says; what
    whole tiles leave over of them is more or less than some vectors.
    """
    x, h = cases.values(np.random.default_rng(0), (37, n), dtype), cases.random(taps, dtype, 1)
    for mode in ("full", "same", "valid"):
        rows = signal.convolve1d(x, h, mode=mode, boundary=boundary)
        for i in (0, 17, 36):
            want = reference.signal.convolve(x[i], h, mode, boundary=boundary)
            np.testing.assert_allclose(rows[i], want, rtol=1e-4, atol=1e-4 * np.abs(h).sum())


# ---- lines whose lengths decide


LENGTHS = [(20_000, 255), (255, 20_000), (3000, 3000), (9000, 40), (700, 50_000), (6000, 5900)]


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("mode", ["full", "same", "valid"])
def test_short_way_of_lines_gives_the_same_bits(mode, dtype, lengths):
    rng = np.random.default_rng(5)
    x, w = (rng.standard_normal(n).astype(dtype) for n in lengths)
    for function in (signal.convolve, signal.correlate, signal.fftconvolve):
        np.testing.assert_array_equal(function(x, w, mode), function(x, w, mode, workers=1))


def test_short_way_of_lines_is_taken():
    rng = np.random.default_rng(5)
    x, w = (rng.standard_normal(n) for n in (30_000, 777))
    found = _lines.convolve(x, w, "same", 0, 1, flip=True)
    np.testing.assert_array_equal(found, signal.convolve(x, w, "same", "fft"))
    assert _lines.convolve(x, w[:4], "same", 0, 1, flip=True) is None  # directly
    for odd in (x[::2], x.astype("f4"), x.astype(complex), x.astype(x.dtype.newbyteorder()), x[:1]):
        assert _lines.convolve(odd, w, "same", 0, 1, flip=True) is None
    assert _lines.convolve(x, w, "middle", 0, 1, flip=True) is None
    assert _lines.convolve(x, w, "same", 1, 1, flip=True) is None


@pytest.mark.parametrize("spoil", [np.nan, np.inf, 1e200])
def test_short_way_of_lines_takes_back_what_is_not_safe(spoil):
    x, w = np.random.default_rng(6).standard_normal(30_000), np.ones(777)
    x[100] = spoil
    for pair in ((x, w), (w, x)):
        expected = signal.convolve(*pair, method="direct")
        np.testing.assert_array_equal(signal.convolve(*pair), expected)


def test_short_way_of_lines_leaves_backends_alone():
    class Refusing:
        __ua_domain__ = "numpy.scipy.fft"

        @staticmethod
        def __ua_function__(*_):
            raise LookupError("asked")

    x, w = np.ones(20_000), np.ones(255)
    signal.fftconvolve(x, w)
    with scipy.fft.set_backend(Refusing()), pytest.raises(LookupError, match="asked"):
        signal.fftconvolve(x, w)


# ---- few outputs of many taps

FEW_OUTPUTS = [
    ((100,), (1,)),
    ((4000,), (100,)),
    ((40, 40), (3, 5)),
    ((1, 300), (50, 9)),
    ((300, 1), (9, 50)),
    ((20, 20, 20), (2, 1, 3)),
    ((1, 20, 20), (9, 2, 2)),
    ((1, 1, 900), (9, 5, 7)),
]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("taps", "outputs"), FEW_OUTPUTS, ids=str)
def test_few_outputs_of_many_taps(taps, outputs, dtype, order):
    rng = np.random.default_rng(7)
    shape = [k + m - 1 for k, m in zip(taps, outputs, strict=True)]
    back = (slice(None, None, order),) * len(shape)
    x, w = rng.standard_normal(shape).astype(dtype)[back], rng.standard_normal(taps).astype(dtype)
    windows = np.lib.stride_tricks.sliding_window_view(x.astype(float), taps)
    for function, turned in ((signal.correlate, w), (signal.convolve, np.flip(w))):
        expected = np.tensordot(windows, turned.astype(float), len(taps))
        found = function(x, w, "valid", "direct")
        allowed = 2 * np.finfo(dtype).eps * np.linalg.norm(x) * np.linalg.norm(w)
        np.testing.assert_allclose(found, expected, rtol=0, atol=allowed)
        np.testing.assert_array_equal(function(x, w, "valid", "direct", workers=3), found)
        if taps[0] == 1:
            lines = [function(line[None], w, "valid", "direct") for line in x]
            np.testing.assert_array_equal(np.concatenate(lines), found)
