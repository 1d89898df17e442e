"""What pyconvc.ndimage refuses, with scipy's exception types, and what goes to scipy."""

import inspect

import numpy as np
import pytest
import scipy.ndimage

from pyconvc import ndimage

X = np.arange(12.0).reshape(3, 4)
BAD = [
    ("correlate1d", (X, [])),
    ("correlate1d", (X, [[1.0]])),
    ("correlate1d", (X, [1, 2]), {"origin": 1}),
    ("correlate1d", (X, [1, 2]), {"axis": 2}),
    ("correlate1d", (X, [1, 2]), {"mode": "edge"}),
    ("correlate1d", (X, [1, 2]), {"cval": 1j, "mode": "constant", "output": np.complex128}),
    ("convolve1d", (X, [1j, 2]), {"cval": 1j, "mode": "constant"}),
    ("convolve", (X, [1, 2])),
    ("convolve", (X, np.ones((0, 2)))),
    ("convolve", (X, np.ones((2, 2))), {"origin": (0, 1, 0)}),
    ("convolve", (X, np.ones((2, 2))), {"origin": 1}),
    ("convolve", (X, np.ones((2, 2))), {"origin": -2}),
    ("correlate", (X, np.ones((2, 2))), {"mode": ["wrap", "wrap"]}),
    ("correlate", (X, np.ones((2, 2))), {"axes": (0, 0)}),
    ("correlate", (X, np.ones((2, 2))), {"axes": (0, 2)}),
    ("correlate", (X, np.ones((2, 2))), {"axes": (0, 1.5)}),
    ("correlate", (X, np.ones((2, 2))), {"output": np.zeros((3, 3))}),
    ("correlate", (X, np.ones((2, 2))), {"output": "U8"}),
    ("correlate", (X, np.full((2, 2), 1j)), {"output": np.zeros((3, 4))}),
    ("uniform_filter1d", (X, 0)),
    ("uniform_filter1d", (X, 3), {"origin": 2}),
    ("uniform_filter", (X, [3, 3, 3])),
    ("uniform_filter", (X, 3), {"mode": ["wrap"]}),
    ("gaussian_filter1d", (X, 1), {"order": -1}),
    ("gaussian_filter1d", (X, 1), {"radius": -1}),
    ("gaussian_filter1d", (X, 1), {"radius": 1.5}),
    ("gaussian_filter1d", (X, -1)),
    ("gaussian_filter1d", (X, 0)),
    ("gaussian_filter1d", (X, np.nan)),
    ("gaussian_filter", (X, [1, 1, 1])),
    ("gaussian_filter", (X, 1), {"order": [0]}),
    ("gaussian_filter", (X * 1j, 1), {"output": np.zeros((3, 4))}),
    ("sobel", (X,), {"axis": 2}),
    ("prewitt", (X,), {"mode": ["wrap"]}),
    ("laplace", (X,), {"axes": (3,)}),
    ("gaussian_laplace", (X, 1), {"unknown": 1}),
    ("gaussian_filter", (X.astype(np.float16), 1)),
    ("gaussian_filter", (X.astype(object), 1)),
    ("gaussian_filter", (X.astype(np.longdouble), 1)),
    ("gaussian_filter", (X, 1), {"output": np.float16}),
]


def error_of(function, args, options):
    """The exception that the call raises."""
    with pytest.raises(Exception) as caught:
        function(*args, **options)
    return caught.value


@pytest.mark.parametrize("call", BAD, ids=lambda call: f"{call[0]} {call[2:]}")
def test_scipys_exception_types(call):
    name, args, options = (*call, {})[:3]
    want = error_of(getattr(scipy.ndimage, name), args, options)
    got = error_of(getattr(ndimage, name), args, options)
    assert isinstance(got, type(want)), (got, want)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mode": "edge"}, "mode='edge'"),
        ({"axes": (5,)}, "axes=(5,)"),
        ({"sigma": -1}, "sigma=-1.0"),
        ({"sigma": np.inf}, "sigma=inf"),
        ({"precision": "single"}, "precision='single'"),
        ({"workers": 0}, "workers"),
        ({"radius": -3}, "radius=-3"),
        ({"radius": 2**62}, "radius=4611686018427387904"),
        ({"truncate": np.inf}, "truncate=inf"),
        ({"output": np.zeros(3)}, "output"),
    ],
)
def test_errors_name_the_argument(options, words):
    error = error_of(ndimage.gaussian_filter, (X,), {"sigma": 1} | options)
    assert words in str(error)


@pytest.mark.parametrize("size", [2**61, 2**62, 2**63 - 1, 2**64])
def test_windows_that_no_memory_could_hold(size):
    for call in (ndimage.uniform_filter1d, ndimage.uniform_filter):
        with pytest.raises(ValueError, match=f"size={size}"):
            call(X, size)


@pytest.mark.parametrize("axis", [2, -3, 2**31, 2**64, -(2**64)])
def test_axes_that_there_are_not(axis):
    with pytest.raises(ValueError, match=f"axis {axis}"):
        ndimage.uniform_filter1d(X, 3, axis=axis)


def test_nothing_is_written_before_an_error():
    y = np.full(X.shape, 7.0)
    error_of(ndimage.gaussian_filter, (X, 1), {"mode": ["wrap", "edge"], "output": y})
    error_of(ndimage.convolve, (X, np.ones((2, 2))), {"origin": 4, "output": y})
    assert (y == 7).all()


def test_read_only_output_is_refused():
    y = np.zeros(X.shape)
    y.flags.writeable = False
    with pytest.raises(ValueError, match="output"):
        ndimage.gaussian_filter(X, 1, output=y)


@pytest.mark.parametrize("name", ndimage.__all__)
def test_signatures_are_scipys(name):
    """The same parameters in the same order, and more that only a keyword reaches."""
    ours = inspect.signature(getattr(ndimage, name)).parameters
    theirs = inspect.signature(getattr(scipy.ndimage, name)).parameters
    more = {"workers", "precision"}
    if name.startswith(("convolve", "correlate", "uniform", "gaussian_filter")):
        more |= {"nan_policy", "mask", "min_weight", "normalize"}
    assert {n: (p.kind, p.default) for n, p in ours.items() if n not in more} == {
        n: (p.kind, p.default) for n, p in theirs.items()
    }
    assert all(ours[n].kind is inspect.Parameter.KEYWORD_ONLY for n in more)


@pytest.mark.parametrize("output", [None, "float32", np.uint8, np.dtype(">f8"), np.int64])
def test_output_dtypes(output):
    want = scipy.ndimage.gaussian_filter(X, 1, output=output)
    got = ndimage.gaussian_filter(X, 1, output=output)
    assert got.dtype == want.dtype
    np.testing.assert_allclose(got, want, rtol=1e-6)


def test_complex_weights_promote_the_output():
    with pytest.warns(UserWarning, match="promoting specified output dtype to complex"):
        y = ndimage.correlate(X, np.full((1, 1), 1j), output=np.float32)
    assert y.dtype == np.complex64


@pytest.mark.parametrize("order", ["<", ">"])
def test_bytes_in_any_order(order):
    x = X.astype(f"{order}f4")
    y = np.zeros(X.shape, f"{order}f8")
    assert ndimage.uniform_filter(x, 3, output=y) is y
    np.testing.assert_allclose(y, ndimage.uniform_filter(X, 3), rtol=1e-6)
