"""The three passes against hand-written numbers, numpy.pad with windows, scipy.ndimage, algebra."""

import doctest

import cases
import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

from pyconvc import reference
from pyconvc.reference import _passes, signal

ABC = np.array([[[1, 2, 3]]])


def along(*numbers, dtype=int):
    """One channel of one batch."""
    return np.array([[numbers]], dtype)


def by_windows(x, w, p):
    """The pass by numpy.pad and one einsum over a window view; None if no window fits."""
    rank = len(p.space)
    for axis, (ends, boundary) in enumerate(zip(p.padding, p.boundary, strict=True), start=2):
        widths = [(0, 0)] * x.ndim
        widths[axis] = ends
        options = {"constant_values": p.fill} if boundary == "constant" else {}
        x = np.pad(x, widths, cases.NUMPY_PAD[boundary], **options)
    spans = [d * (k - 1) + 1 for d, k in zip(p.dilation, p.taps, strict=True)]
    if np.less(x.shape[2:], spans).any():
        return None
    windows = sliding_window_view(x, spans, tuple(range(2, x.ndim)))
    steps = [slice(None, None, s) for s in (*p.stride, *p.dilation)]
    windows = windows[(slice(None), slice(None), *steps)]
    windows = windows.reshape(p.batch, p.groups, p.channels, *windows.shape[2:])
    if p.flip:
        w = np.flip(w, tuple(range(2, w.ndim)))
    w = w.reshape(p.groups, p.filters, p.channels, *p.taps)
    o, t = "uvw"[:rank], "xyz"[:rank]
    y = np.einsum(f"ngc{o}{t},gkc{t}->ngk{o}", windows, w)
    return y.reshape(p.batch, -1, *y.shape[3:])


@pytest.mark.parametrize("module", [_passes, signal])
def test_examples_in_docstrings(module):
    failed, tried = doctest.testmod(module)
    assert tried > 0
    assert failed == 0


@pytest.mark.parametrize(
    ("boundary", "extended"),
    [
        ("constant", [9, 9, 9, 9, 9, 1, 2, 3, 9, 9, 9, 9]),
        ("replicate", [1, 1, 1, 1, 1, 1, 2, 3, 3, 3, 3, 3]),
        ("reflect", [2, 1, 2, 3, 2, 1, 2, 3, 2, 1, 2, 3]),
        ("symmetric", [2, 3, 3, 2, 1, 1, 2, 3, 3, 2, 1, 1]),
        ("circular", [2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3, 1]),
    ],
)
def test_boundaries_by_hand(boundary, extended):
    y = reference.correlate(ABC, along(1), padding=[(5, 4)], boundary=boundary, fill=9)
    assert y.tolist() == [[extended]]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, [1 * 1 + 2 * 10 + 4 * 100, 2 * 1 + 4 * 10 + 8 * 100]),
        ({"flip": True}, [1 * 100 + 2 * 10 + 4 * 1, 2 * 100 + 4 * 10 + 8 * 1]),
        ({"padding": 1}, [210, 421, 842, 84]),
        ({"padding": [(2, 0)]}, [100, 210, 421, 842]),
        ({"padding": [(-1, 0)]}, [842]),
        ({"padding": 1, "stride": 2}, [210, 842]),
        ({"padding": 1, "stride": 3}, [210, 84]),
        ({"padding": 2, "dilation": 2}, [410, 820, 41, 82]),
        ({"padding": 1, "fill": 5}, [215, 421, 842, 584]),
        ({"bias": [1000]}, [1421, 1842]),
        ({"dilation": 4}, []),
    ],
)
def test_arguments_by_hand(arguments, expected):
    y = reference.correlate(along(1, 2, 4, 8), along(1, 10, 100), **arguments)
    assert y.tolist() == [[expected]]


def test_channels_and_groups_by_hand():
    x = np.array([[[1, 2], [3, 4], [5, 6], [7, 8]]])
    dense = reference.correlate(x, np.array([[[1], [10], [100], [1000]]]))
    assert dense.tolist() == [[[7531, 8642]]]
    grouped = reference.correlate(x, np.array([[[1], [10]], [[0], [1]]]), groups=2)
    assert grouped.tolist() == [[[31, 42], [7, 8]]]
    depthwise = reference.correlate(x, np.arange(1, 9).reshape(8, 1, 1), groups=4)
    assert depthwise[0, :, 0].tolist() == [1, 2, 9, 12, 25, 30, 49, 56]


def test_two_axes_by_hand():
    x = np.arange(1, 10).reshape(1, 1, 3, 3)
    w = np.array([[[[1, 10], [100, 1000]]]])
    assert reference.correlate(x, w).tolist() == [[[[5421, 6532], [8754, 9865]]]]
    assert reference.correlate(x, w, flip=True).tolist() == [[[[1245, 2356], [4578, 5689]]]]


def test_dtypes_by_hand():
    bools = reference.correlate(along(1, 0, 0, 1, 1, dtype=bool), along(1, 1, dtype=bool))
    assert bools.tolist() == [[[True, False, True, True]]]
    wrapped = reference.correlate(along(100, 100, dtype=np.int8), along(1, 1, dtype=np.int8))
    assert wrapped.tolist() == [[[200 - 256]]]
    turned = reference.correlate(along(1, 1j, dtype=complex), along(1j, 2, dtype=complex))
    assert turned.tolist() == [[[3j]]]
    mixed = reference.correlate(along(1, dtype=np.int16), along(1, dtype=np.float32))
    assert mixed.dtype == np.float32


def test_half_precision_is_summed_in_single():
    x, w = np.ones((1, 1, 3000), np.float16), np.ones((1, 1, 3000), np.float16)
    assert reference.correlate(x, w) == 3000
    assert reference.correlate(x, w, accumulate=np.float16) < 3000


def test_bfloat16_is_summed_in_single():
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    y = reference.correlate(np.ones((1, 1, 512), bfloat16), np.ones((1, 1, 512), bfloat16))
    assert y == 512  # 256 + 1 is 256 in bfloat16
    assert y.dtype == bfloat16


def test_accumulate_in_double():
    x = along(1e8, 1, -1e8, dtype=np.float32)
    ones = along(1, 1, 1, dtype=np.float32)
    assert reference.correlate(x, ones) == 0
    exact = reference.correlate(x, ones, accumulate=np.float64)
    assert exact == 1
    assert exact.dtype == np.float32


def test_padding_is_values():
    y = reference.correlate(
        along(1, 2, dtype=float), along(np.inf, 1, dtype=float), padding=[(1, 0)]
    )
    assert np.isnan(y[0, 0, 0])
    assert y[0, 0, 1] == np.inf


def test_gradients_by_hand():
    x, w, g = along(1, 2, 3), along(10, 1), along(1, 100)
    assert reference.input_grad(x.shape, w, g).tolist() == [[[10, 1001, 100]]]
    assert reference.weight_grad(x, w.shape, g).tolist() == [[[201, 302]]]
    assert reference.weight_grad(x, w.shape, g, flip=True).tolist() == [[[302, 201]]]
    wrapped = reference.input_grad(
        (1, 1, 3), w, along(1, 100, 1000), padding=[(1, 0)], boundary="circular"
    )
    assert wrapped.tolist() == [[[1001, 10100, 1010]]]


@pytest.mark.parametrize("boundary", cases.BOUNDARIES)
@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_boundary_index_is_numpy_pad(n, boundary):
    x = np.arange(n) + 1
    for before in (0, 1, n - 1, n, 2 * n + 1, 30):
        for after in (0, 2, 23):
            index = reference.boundary_index(n, before, after, boundary)
            padded = np.pad(x, (before, after), cases.NUMPY_PAD[boundary])
            cases.assert_same(np.where(index < 0, 0, x[index]), padded, before=before, after=after)


@settings(deadline=None, max_examples=150)
@given(cases.problems(), st.sampled_from([np.int8, np.uint64, np.float64, np.complex128, bool]))
def test_correlate_is_pad_and_windows(p, dtype):
    x, w = p.arrays(dtype)
    want = by_windows(x, w, p)
    got = reference.correlate(x, w, fill=p.fill, **p.keywords)
    if want is None:
        assert got.size == 0
    else:
        cases.assert_same(got, want, terms=p.terms)


@settings(deadline=None, max_examples=100)
@given(cases.problems(), st.sampled_from([np.int8, np.int64, np.float64, np.complex128]))
def test_gradients_are_adjoints(p, dtype):
    x, w = p.arrays(dtype)
    y = reference.correlate(x, w, **p.keywords)
    g = cases.values(np.random.default_rng(p.seed + 1), y.shape, dtype)
    forward = (y * g).sum(dtype=dtype)
    by_input = (x * reference.input_grad(x.shape, w, g, **p.keywords)).sum(dtype=dtype)
    by_weight = (w * reference.weight_grad(x, w.shape, g, **p.keywords)).sum(dtype=dtype)
    scale = np.abs(y.astype(complex) * g).sum()
    tolerance = 0 if np.dtype(dtype).kind == "i" else 1e-12 * scale
    assert abs(by_input - forward) <= tolerance
    assert abs(by_weight - forward) <= tolerance


def test_bias_gradient_sums_outputs():
    g = np.arange(24).reshape(2, 3, 4)
    assert reference.bias_grad(g).tolist() == [60, 92, 124]
    assert reference.bias_grad(g.astype(np.int8)).dtype == np.int8
    assert reference.bias_grad(np.ones((2, 1, 200), np.int8)).tolist() == [400 - 512]
    assert reference.bias_grad(np.ones((2, 1, 2), bool)).tolist() == [True]
    assert reference.bias_grad(np.ones((2, 1, 2), ">f4")).dtype.isnative


NDIMAGE = {
    "constant": "constant",
    "replicate": "nearest",
    "reflect": "mirror",
    "symmetric": "reflect",
    "circular": "wrap",
}


@pytest.mark.parametrize("boundary", cases.BOUNDARIES)
@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("space", [(9,), (6, 5), (2, 1), (3, 4, 2)])
def test_same_size_is_scipy_ndimage(space, flip, boundary):
    rng = np.random.default_rng(5)
    x = rng.standard_normal(space)
    w = rng.standard_normal([5, 3, 7][: len(space)])
    filtered = scipy.ndimage.convolve if flip else scipy.ndimage.correlate
    want = filtered(x, w, mode=NDIMAGE[boundary], cval=2)
    got = reference.correlate(
        x[None, None],
        w[None, None],
        padding=[k // 2 for k in w.shape],
        boundary=boundary,
        fill=2,
        flip=flip,
    )
    cases.assert_same(got[0, 0], want)


@pytest.mark.parametrize("view", cases.VIEWS)
@pytest.mark.parametrize("dtype", cases.DTYPES, ids=str)
def test_layout_does_not_matter(view, dtype):
    rng = np.random.default_rng(0)
    x = cases.VIEWS[view](rng, (2, 3, 5, 4), dtype)
    w = cases.VIEWS[view](rng, (2, 3, 3, 2), dtype)
    plain = [np.array(a, dtype, order="C") for a in (x, w)]
    want = reference.correlate(*plain, padding=1)
    cases.assert_same(reference.correlate(x, w, padding=1), want, dtype, x=x, w=w)
    assert (x == plain[0]).all()


@pytest.mark.parametrize("space", [*cases.empty_shapes(1), *cases.empty_shapes(2)])
def test_empty_input(space):
    rank = len(space)
    w = np.ones((1, 1, *(2,) * rank))
    y = reference.correlate(np.ones((2, 1, *space)), w, padding=1, fill=3)
    assert y.shape == (2, 1, *[n + 1 for n in space])
    grad = reference.input_grad((2, 1, *space), w, y, padding=1)
    assert grad.shape == (2, 1, *space)
    with pytest.raises(ValueError, match="empty axis"):
        reference.correlate(np.ones((2, 1, *space)), w, padding=1, boundary="circular")


def test_empty_batch_and_channels():
    assert reference.correlate(np.ones((0, 1, 4)), np.ones((1, 1, 2))).shape == (0, 1, 3)
    assert reference.correlate(np.ones((1, 0, 4)), np.ones((2, 0, 2))).tolist() == [[[0] * 3] * 2]
    assert reference.weight_grad(np.ones((0, 1, 4)), (1, 1, 2), np.ones((0, 1, 3))).sum() == 0


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"groups": 2}, "groups=2"),
        ({"stride": (1, 1)}, "one entry"),
        ({"boundary": "edge"}, "boundary='edge'"),
    ],
)
def test_wrong_arguments(arguments, text):
    with pytest.raises(ValueError, match=text):
        reference.correlate(ABC, along(1), **arguments)


def test_gradient_of_wrong_shape():
    with pytest.raises(ValueError, match="the outputs have"):
        reference.input_grad((1, 1, 4), along(1, 1), along(1, 1))
