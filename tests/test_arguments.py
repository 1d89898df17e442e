"""Bad input to pyconvc.signal: which exception, what it names, and that nothing else happens."""

import hashlib
import itertools
import warnings

import cases
import numpy as np
import pytest
import scipy.signal

from pyconvc import signal

PLAIN = ["convolve", "correlate"]
PLANES = ["convolve2d", "correlate2d"]
TRANSFORMS = ["fftconvolve", "oaconvolve"]
ALL = [*PLAIN, *PLANES, *TRANSFORMS]
WITH_CHOICE = [*ALL, "choose_conv_method"]

A, B = np.ones((5, 6)), np.ones((3, 2))
FULL = (7, 7)
HUGE = 1 << 58  # samples: more than can be addressed


def of_length(*shape):
    """An array of any size that takes no memory."""
    return np.broadcast_to(np.float64(1), shape)


def assert_refused(error, words, name, *args, **options):
    """An error whose text has all the words; out= is as before."""
    out = options.get("out")
    before = out.copy() if isinstance(out, np.ndarray) else None
    with pytest.raises(error) as caught:
        getattr(signal, name)(*args, **options)
    for word in words.split():
        assert word in str(caught.value), f"{name}: {word!r} is not in {caught.value}"
    if before is not None:
        np.testing.assert_array_equal(out, before)


def assert_refused_by_scipy(error, name, *args, **options):
    with pytest.raises(error), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        getattr(scipy.signal, name)(*args, **options)


# ---- what scipy refuses too

REFUSED_BY_SCIPY = {
    "ranks differ": (
        WITH_CHOICE,
        "in1 in2",
        [(np.ones(3), B), (A, np.ones((1, 2, 3))), (2.0, [1.0])],
    ),
    "not planes": (PLANES, "2-D in1 in2", [(np.ones(3), np.ones(2)), (A[None], B[None]), (1, 2)]),
    "empty": (PLAIN, "empty", [([], [1.0]), ([1.0], []), ([], [])]),
    "none contains the other": (ALL, "valid in1 in2", [(A, np.ones((6, 5)), "valid")]),
    "mode": (
        WITH_CHOICE,
        "mode valid same full",
        [(A, B, mode) for mode in ("x", None, 5, "Full")],
    ),
    "method": (PLAIN, "method direct fft", [(A, B, "full", method) for method in ("x", None, 5)]),
    "boundary": (
        PLANES,
        "boundary",
        [(A, B, "full", boundary) for boundary in ("x", "reflect", None, 5)],
    ),
    "fillvalue": (
        PLANES,
        "fillvalue",
        [(A, B, "full", "fill", value) for value in ([1, 2], [], 1j)],
    ),
    "fillvalue of integers": (
        PLANES,
        "fillvalue",
        [(A.astype(int), B.astype(int), "full", "fill", v) for v in (np.nan, np.inf, 1j, 10**30)],
    ),
    "fillvalue of few bits": (
        PLANES,
        "fillvalue",
        [(A.astype("u1"), B.astype("u1"), "full", "fill", v) for v in (-1, 256, 300.5)],
    ),
    "axes": (
        TRANSFORMS,
        "axes",
        [(A, B, "full", axes) for axes in (2, -3, [0, 2], [0, 0], [0, -2], [], 1.5, [[0], [1]])],
    ),
    "rows do not broadcast": (
        TRANSFORMS,
        "in1 in2 shapes",
        [(A, B, "full", 0), (A, B, "same", [1])],
    ),
    "text": (PLAIN, "in1 numeric", [(np.array(["a"]), np.array(["b"]))]),
    "text planes": (["convolve2d"], "in1 numeric", [(np.array([["a"]]), np.array([["b"]]))]),
    "ragged": (WITH_CHOICE, "", [([[1], [1, 2]], [[1]])]),
}


@pytest.mark.parametrize("what", REFUSED_BY_SCIPY)
def test_refused_as_by_scipy(what):
    names, words, calls = REFUSED_BY_SCIPY[what]
    for name, args in itertools.product(names, calls):
        arguments = args[:2] if name == "choose_conv_method" and len(args) < 3 else args
        if what != "ranks differ" or name != "choose_conv_method":
            assert_refused_by_scipy(ValueError, name, *arguments)
        assert_refused(ValueError, words, name, *arguments)


@pytest.mark.parametrize("name", ["convolve", "fftconvolve"])
def test_objects_that_are_no_numbers(name):
    for a in (None, {1, 2}, object()):
        assert_refused_by_scipy(TypeError, name, a, a)
        assert_refused(TypeError, "", name, a, a)


def test_lags():
    for mode in ("x", None, 5):
        assert_refused_by_scipy(ValueError, "correlation_lags", 3, 2, mode)
        assert_refused(ValueError, "valid same full", "correlation_lags", 3, 2, mode)
    assert_refused(TypeError, "integer", "correlation_lags", 3.5, 2)
    assert_refused_by_scipy(TypeError, "correlation_lags", "3", 2)
    assert_refused(TypeError, "integer", "correlation_lags", "3", 2)


# ---- what scipy does not have


@pytest.mark.parametrize("name", PLAIN)
def test_boundaries_and_axes(name):
    for boundary in (
        "x",
        "reflect",
        None,
        5,
        ["fill"],
        ["fill", "x"],
        ["fill"] * 3,
        ("wrap", None),
    ):
        assert_refused(ValueError, "boundary", name, A, B, boundary=boundary)
    for axes in (2, -3, [0, 2], [0, 0], [], 1.5, "0"):
        assert_refused(ValueError, "axes", name, A, B, axes=axes)
    for fill in ([1, 2], "1", None, 1j, 10**400):
        assert_refused(ValueError, "fillvalue", name, A, B, fillvalue=fill)
    assert_refused(ValueError, "in1 in2 shapes", name, A, B, axes=0)
    assert_refused(
        ValueError, "separable", name, A, np.array([[1.0, 2], [3, 5]]), method="separable"
    )


@pytest.mark.parametrize("dtype", ["S1", "U1", "M8[s]", "m8[s]", "V3", "i4,f4"])
@pytest.mark.parametrize("name", [*ALL, "convolve1d", "choose", "choose_conv_method"])
def test_dtypes_without_numbers(name, dtype):
    none = np.zeros((3, 3), dtype)
    first = "a" if name == "convolve1d" else "in1"
    second = "v" if name == "convolve1d" else "in2"
    for error in [TypeError if none.dtype.kind in "mM" else ValueError]:
        assert_refused(error, f"{first} numeric", name, none, A)
        assert_refused(error, f"{second} numeric", name, A, none)


@pytest.mark.parametrize(
    ("words", "args"),
    [
        ("a empty", ([], [1.0])),
        ("v empty", ([1.0], [])),
        ("a v axis", (1.0, [1.0])),
        ("a v axis", ([1.0], 1.0)),
        ("axis", (A, [1.0], 2)),
        ("axis", (A, [1.0], 0.5)),
        ("axis", (A, [1.0], (0, 1))),
        ("a v shapes", (A, B)),
        ("mode", (A, [1.0], 0, "x")),
        ("boundary", (A, [1.0], 0, "full", "x")),
        ("fillvalue", (A, [1.0], 0, "full", "fill", "x")),
    ],
)
def test_rows(words, args):
    assert_refused(ValueError, words, "convolve1d", *args)


@pytest.mark.parametrize("name", ALL)
def test_workers(name):
    for workers in (0, -2):
        assert_refused(ValueError, "workers", name, A, B, workers=workers)
    for workers in (1.5, "2", True, [1]):
        assert_refused(TypeError, "workers", name, A, B, workers=workers)


@pytest.mark.parametrize("name", [*PLAIN, "fftconvolve"])
def test_sizes_that_overflow(name):
    """Each input can be addressed, the result cannot: an error at once, of size or of memory."""
    for n, k in [((HUGE,), (3,)), ((HUGE // 4, 2), (1, HUGE // 4)), ((2 * HUGE,), (2 * HUGE,))]:
        with pytest.raises((ValueError, MemoryError)):
            getattr(signal, name)(of_length(*n), of_length(*k))


def test_planes_and_rows_that_overflow():
    for name in PLANES:
        with pytest.raises((ValueError, MemoryError)):
            getattr(signal, name)(of_length(HUGE // 4, 2), of_length(1, HUGE // 4))
    with pytest.raises((ValueError, MemoryError)):
        signal.convolve1d(of_length(HUGE), [1.0, 2.0])


# ---- out=


@pytest.mark.parametrize("name", ALL)
def test_out_that_does_not_fit(name):
    def filled(shape=FULL, dtype=float):
        return np.full(shape, 7, dtype)

    read_only = filled()
    read_only.flags.writeable = False
    refused = [
        (ValueError, "out shape", filled((7, 6))),
        (ValueError, "out shape", filled((49,))),
        (ValueError, "out shape", filled((1, 7, 7))),
        (ValueError, "out writeable", read_only),
        (TypeError, "out dtype", filled(dtype="f4")),
        (TypeError, "out dtype", filled(dtype="c16")),
        (TypeError, "out dtype", filled(dtype=">f8")),
        (TypeError, "out dtype", filled(dtype=int)),
        (TypeError, "out ndarray", filled().tolist()),
        (TypeError, "out ndarray", memoryview(filled())),
    ]
    for error, words, out in refused:
        assert_refused(error, words, name, A, B, out=out)


@pytest.mark.parametrize("name", [*ALL, "convolve1d"])
def test_out_that_overlaps_an_input(name):
    room = np.arange(800.0)
    taps = np.ones((3, 3)) if name != "convolve1d" else np.ones((20, 3))
    a = room[:400].reshape(20, 20)
    first, second = ("a", "v") if name == "convolve1d" else ("in1", "in2")
    for out in (a, a[::-1], a.T, room[10:410].reshape(20, 20), room[399:799].reshape(20, 20)):
        before = room.copy()
        assert_refused(ValueError, f"out overlap {first}", name, a, taps, mode="same", out=out)
        if name != "convolve1d":
            assert_refused(
                ValueError, f"out overlap {second}", name, a.copy(), out, "same", out=out
            )
        np.testing.assert_array_equal(room, before)


@pytest.mark.parametrize("name", ALL)
def test_out_beside_an_input(name):
    """Samples of the input lie between those of the output, and are not touched."""
    room = np.arange(800.0).reshape(20, 40)
    a, out = room[:, ::2], room[:, 1::2]
    before = a.copy()
    want = getattr(signal, name)(before, B, mode="same")
    getattr(signal, name)(a, B, mode="same", out=out)
    np.testing.assert_allclose(out, want)
    np.testing.assert_array_equal(a, before)


@pytest.mark.parametrize("name", ALL)
def test_nothing_is_written_after_an_error(name):
    out = np.full(FULL, 7.0)
    for args in [
        (A, B, "x"),
        (A, np.ones(3)),
        (A, np.array([["a"]])),
        (A, np.ones((6, 5)), "valid"),
    ]:
        assert_refused(ValueError, "", name, *args, out=out)
    assert_refused(ValueError, "workers", name, A, B, workers=0, out=out)


# ---- inputs


def digest(array):
    """Of the memory that an array views, and how it views it."""
    base = array
    while isinstance(base.base, np.ndarray):
        base = base.base
    return hashlib.sha256(base.tobytes() + repr((array.strides, array.flags)).encode()).digest()


@pytest.mark.parametrize("view", cases.VIEWS)
@pytest.mark.parametrize("name", ALL)
def test_inputs_are_accepted_and_stay_as_they_are(name, view):
    rng = np.random.default_rng(3)
    for dtype, shape, taps in itertools.product(
        ("f4", "f8", "c16", "i2", "?"), ((9, 140), (30, 2)), ((3, 2), (2, 9))
    ):
        a, b = (cases.VIEWS[view](rng, s, dtype) for s in (shape, taps))
        before = digest(a), digest(b)
        options = [{}]
        if name in PLAIN:
            methods = [{"method": m} for m in ("direct", "fft")]
            options = [*methods, {"boundary": "wrap"}, {"boundary": "symm", "mode": "same"}]
        for option in options:
            function = getattr(signal, name)
            got = function(a, b, **option)
            want = function(
                *(np.array(x, x.dtype.newbyteorder("="), order="C") for x in (a, b)), **option
            )
            assert not np.may_share_memory(got, a)
            cases.assert_same(got, want, terms=100, view=view, shapes=(shape, taps), option=option)
        assert (digest(a), digest(b)) == before


@pytest.mark.parametrize("name", ["convolve", "correlate", "fftconvolve", "oaconvolve"])
def test_swapped_bytes_of_dtypes_that_scipy_computes(name):
    a = np.arange(12, dtype=np.longdouble).reshape(3, 4)
    swapped = a.astype(a.dtype.newbyteorder())
    got = getattr(signal, name)(swapped, B)
    np.testing.assert_array_equal(got, getattr(signal, name)(a, B))
    assert signal.choose(swapped, B).method == "direct"


def test_inputs_stay_as_they_are_when_both_are_the_same():
    a = cases.random((40, 30))
    before = a.copy()
    for name in ALL:
        getattr(signal, name)(a, a)
        getattr(signal, name)(a, a[::-1])
    np.testing.assert_array_equal(a, before)


@pytest.mark.parametrize("name", ALL)
def test_types_that_numpy_does_not_know_are_refused(name):
    narrow = A.astype(pytest.importorskip("ml_dtypes").bfloat16)
    assert_refused(TypeError, "in1 bfloat16 float32", name, narrow, B)
    assert_refused(TypeError, "in2 bfloat16 float32", name, A, narrow)
