"""convNd against the reference, PyTorch and hand-written numbers."""

import itertools

import cases
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nn_cases import MODES, RANKS, layers, torch_on_one_thread, torch_options

from pyconvc import nn
from pyconvc.reference import nn as reference

DTYPES = [*cases.DTYPES, np.dtype(np.float16)]
WRITABLE = ["contiguous", "fortran", "negative", "stepped", "channels_last", "unaligned"]

dtypes = st.sampled_from(DTYPES)
views = st.sampled_from([*cases.VIEWS])


@given(layers(), dtypes, views)
def test_matches_the_reference(layer, dtype, view):
    got, want = layer.both("conv", *layer.arrays(dtype, view))
    cases.assert_same(got, want, terms=layer.terms, layer=layer, view=view)


MIXTURES = [
    ("uint8", "float32", "float32"),
    ("float32", "float64", "float32"),
    ("float16", "float32", "float64"),
    ("int8", "int32", "int16"),
    ("bool", "uint8", "bool"),
    ("complex64", "float32", "float64"),
    ("float64", "complex64", "int64"),
    ("int32", "float32", "bool"),
    ("uint64", "int64", "int8"),
]


@pytest.mark.parametrize("mixture", MIXTURES, ids=str)
def test_dtypes_mix_as_in_numpy(mixture):
    shapes = (2, 3, 6, 5), (4, 3, 3, 2), (4,)
    arrays = [cases.random(*arguments) for arguments in zip(shapes, mixture, range(3), strict=True)]
    got, want = (module.conv2d(*arrays, padding=1) for module in (nn, reference))
    assert got.dtype == np.result_type(*mixture)
    cases.assert_same(got, want)


PLAIN = [
    ((2, 6, 9), (8, 3, 4), {"stride": 2, "padding": (3,), "groups": 2}),
    ((1, 3, 8, 9), (5, 3, 3, 2), {"padding": (1, 2), "dilation": (2, 1)}),
    ((3, 40, 90, 70), (40, 1, 3, 3), {"padding": 1, "groups": 40, "stride": (1, 2)}),
    ((2, 2, 5, 6, 7), (4, 2, 2, 3, 1), {"padding": (0, 1, 2), "flip_filters": True}),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("x_shape", "w_shape", "options"), PLAIN, ids=str)
def test_the_short_way_of_plain_layers_has_the_same_bits(
    x_shape, w_shape, options, dtype, monkeypatch
):
    x, w, b = (cases.random(shape, dtype) for shape in (x_shape, w_shape, w_shape[:1]))
    conv = cases.of_rank(nn, "conv", x.ndim - 2)
    wanted = [conv(x, w, bias, **options, out=conv(x, w, **options) + 1) for bias in (None, b)]
    monkeypatch.delattr("pyconvc.nn._methods.call")  # the way of all others
    for bias, want in zip((None, b), wanted, strict=True):
        got = conv(x, w, bias, **options)
        assert got.dtype == want.dtype and got.tobytes() == want.tobytes()
    with pytest.raises(AttributeError):
        conv(x, w, b.astype("float16"), **options)


def test_byte_swapped_arrays_give_a_native_result():
    arrays = [cases.random(shape, "f4") for shape in ((2, 3, 6, 5), (4, 3, 3, 2), (4,))]
    swapped = [array.astype(array.dtype.newbyteorder()) for array in arrays]
    cases.assert_same(nn.conv2d(*swapped), nn.conv2d(*arrays))


@given(layers(), dtypes, st.sampled_from(WRITABLE))
def test_out_in_any_layout_and_inputs_as_they_were(layer, dtype, view):
    arrays = layer.arrays(dtype)
    before = [None if a is None else a.copy() for a in arrays]
    conv = cases.of_rank(nn, "conv", layer.rank)
    want = conv(*arrays, **layer.options)
    out = cases.VIEWS[view](np.random.default_rng(0), want.shape, dtype)
    assert conv(*arrays, **layer.options, out=out) is out
    np.testing.assert_array_equal(out, want)
    for array, copy in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, copy)


# Few pixels: x, w, options. Several passes and chunks of taps, also odd and unequal ones; output
# channels that fill no block; pixels that fill no tile.
FEW_PIXELS = [
    ((1, 1100, 7, 7), (40, 1100, 1, 1), {}),
    ((3, 37, 1, 1), (65, 37, 1, 1), {}),
    ((2, 90, 2, 1), (66, 45, 1, 1), {"groups": 2}),
    ((2, 48, 9, 9), (34, 48, 3, 3), {}),
    ((1, 61, 5, 13), (48, 61, 3, 2), {"stride": (1, 2), "padding": (1, 0)}),
    ((1, 130, 14, 14), (64, 130, 1, 1), {"stride": 2}),
    ((1, 33, 81), (48, 33, 7), {"dilation": 2, "flip_filters": True}),
    ((1, 20, 3, 5, 5), (32, 20, 2, 3, 3), {"stride": (1, 2, 1)}),
    ((1, 40, 1, 1), (34, 40, 3, 3), {"padding": 1}),  # all miss some taps
    ((2, 30, 9, 4), (32, 30, 1, 3), {"padding": (0, 1), "stride": (1, 4)}),
    ((1, 30, 2, 4, 3), (32, 30, 3, 2, 1), {"padding": (1, 0, 0), "stride": (4, 1, 1)}),
]


@pytest.mark.parametrize("layout", ["contiguous", "channels_last"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64])
@pytest.mark.parametrize(("x", "w", "options"), FEW_PIXELS)
def test_few_pixels_match_the_reference(x, w, options, dtype, layout):
    rank, biases = len(x) - 2, (w[0],)
    x, w, bias = (cases.random(shape, dtype, seed) for seed, shape in enumerate((x, w, biases)))
    x = cases.VIEWS[layout](np.random.default_rng(0), x.shape, dtype)
    conv = cases.of_rank(nn, "conv", rank)
    want = cases.of_rank(reference, "conv", rank)(x, w, bias, **options)
    got = conv(x, w, bias, method="direct", workers=1, **options)
    cases.assert_same(got, want, terms=w[0].size)
    for workers in 2, 3:
        again = conv(x, w, bias, method="direct", workers=workers, **options)
        np.testing.assert_array_equal(got, again)
    plan = nn.plan(x.shape, w, bias, method="direct", **options)
    np.testing.assert_array_equal(got, plan(x))
    out = cases.VIEWS[layout](np.random.default_rng(0), want.shape, dtype)
    conv(x, w, bias, method="direct", out=out, **options)
    np.testing.assert_array_equal(got, out)


@pytest.mark.parametrize("outputs", [3, 4, 12, 13, 15])
@pytest.mark.parametrize("size", [(16, 64), (33, 31)])
def test_few_output_channels_match_the_reference(size, outputs):
    x, w, bias = (
        cases.random(shape, "f4", seed)
        for seed, shape in enumerate(((2, 37, *size), (outputs, 37, 1, 1), (outputs,)))
    )
    cases.assert_same(nn.conv2d(x, w, bias, method="direct"), reference.conv2d(x, w, bias))


@pytest.mark.parametrize("pixels", [1, 2, 5, 12, 49, 75])
def test_few_pixels_are_summed_in_the_order_of_many(pixels):
    x, w = cases.random((1, 300, pixels), "f4", 0), cases.random((36, 300, 1), "f4", 1)
    many = nn.conv1d(np.tile(x, 300), w, method="direct")
    np.testing.assert_array_equal(nn.conv1d(x, w, method="direct"), many[..., :pixels])


def test_a_nan_stays_in_its_pixel_and_its_channel():
    x, w = cases.random((1, 70, 7, 7), "f4", 0), cases.random((20, 70, 1, 1), "f4", 1)
    plain = nn.conv2d(x, w, method="direct")
    x[0, 5, 3, 4] = w[7, 2] = np.nan
    missing = np.isnan(nn.conv2d(x, w, method="direct"))[0]
    assert missing[7].all()
    assert missing[:, 3, 4].all()
    assert missing.sum() == missing[7].size + missing[:, 3, 4].size - 1
    np.testing.assert_array_equal(nn.conv2d(x, w, method="direct")[0][~missing], plain[0][~missing])


@given(layers(), st.sampled_from([np.float32, np.complex128, np.uint8]))
def test_same_bits_for_any_batch(layer, dtype):
    x, w, bias = layer.arrays(dtype)
    conv = cases.of_rank(nn, "conv", layer.rank)
    whole = conv(x, w, bias, **layer.options)
    if layer.batched:
        alone = [conv(sample, w, bias, **layer.options) for sample in x]
        np.testing.assert_array_equal(whole, np.stack(alone))
    else:
        np.testing.assert_array_equal(whole, conv(x[None], w, bias, **layer.options)[0])


@pytest.mark.parametrize("groups", [1, 4, 16])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16])
def test_same_bits_for_any_number_of_workers(groups, dtype):
    x, w = cases.random((3, 16, 40, 41), dtype), cases.random((32, 16 // groups, 3, 3), dtype, 1)
    arguments = None, 1, 1, 1, groups
    want = nn.conv2d(x, w, *arguments, workers=1)
    for workers in (2, 5):
        got = nn.conv2d(x, w, *arguments, workers=workers)
        np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(nn.conv2d(x[2:], w, *arguments, workers=2), want[2:])


# Long sums, whose pixels are read one by one: from tiles with a stride, from x where regions meet
# all of their taps, from planes that collide, of a last block that lacks a channel, of several
# bands and depths.
LONG_SUMS = [
    ((2, 33, 25, 23), (47, 33, 3, 3), {"stride": 2, "padding": 1}),
    ((1, 32, 26, 31), (16, 32, 3, 3), {"stride": (2, 3), "padding": (3, 0), "dilation": (1, 2)}),
    ((2, 40, 25, 25), (32, 40, 3, 3), {"padding": 9, "dilation": 9}),
    ((1, 64, 32, 32), (48, 64, 2, 2), {"stride": 2}),
    ((1, 96, 700), (64, 96, 5), {"padding": 3, "stride": 2}),
    ((1, 24, 7, 9, 20), (32, 12, 3, 3, 3), {"padding": 1, "stride": (1, 2, 1), "groups": 2}),
]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("x_shape", "w_shape", "options"), LONG_SUMS, ids=str)
def test_long_sums(x_shape, w_shape, options, dtype, mode):
    x, w = cases.random(x_shape, dtype), cases.random(w_shape, dtype, 1)
    bias = cases.random(w_shape[:1], dtype, 2)
    options = {**options, "padding_mode": mode}
    got, want = (
        cases.of_rank(module, "conv", x.ndim - 2)(x, w, bias, **options)
        for module in (nn, reference)
    )
    cases.assert_same(got, want, terms=w[0].size)
    conv = cases.of_rank(nn, "conv", x.ndim - 2)
    np.testing.assert_array_equal(conv(x[-1:], w, bias, **options, workers=3), got[-1:])
    np.testing.assert_array_equal(nn.plan(x_shape, w, bias, **options)(x), got)


# Channels, space, taps: many planes for a task, one, bands of one, depths, lines.
PLANES = [
    (40, (7, 7), (3, 3), {"padding": 1}),
    (9, (14, 15), (5, 5), {"padding": "same", "stride": 2}),
    (5, (90, 130), (3, 3), {"padding": 1, "dilation": (2, 1)}),
    (3, (61, 200), (7, 3), {"padding": (3, 1), "stride": (2, 3), "dilation": (3, 2)}),
    (6, (4, 9, 30), (3, 2, 3), {"padding": 1, "stride": (1, 2, 1)}),
    (12, (90,), (9,), {"padding": "causal"}),
    (2, (2, 6000), (2, 3), {"padding": 1}),
]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", [np.float32, np.complex128, np.uint8])
@pytest.mark.parametrize(("channels", "space", "taps", "options"), PLANES, ids=str)
def test_depthwise_layers(channels, space, taps, options, dtype, mode):
    x, bias = cases.random((2, channels, *space), dtype), cases.random((2 * channels,), dtype, 2)
    w = cases.random((2 * channels, 1, *taps), dtype, 1)
    options = {**options, "groups": channels, "padding_mode": mode}
    got, want = (
        cases.of_rank(module, "conv", len(space))(x, w, bias, **options)
        for module in (nn, reference)
    )
    cases.assert_same(got, want, terms=w[0].size)
    for same in (x, channels_last(x)):
        shared = cases.of_rank(nn, "conv", len(space))(same, w, bias, **options, workers=2)
        np.testing.assert_array_equal(shared, got)


# Shapes of x and w: panels of a 1x1 kernel, planes that collide, rows by phases, Winograd's tiles,
# flat tiles, a depth in one pass and in several, lines, groups, pixels apart.
DENSE = [
    ((2, 96, 9, 11), (100, 96, 1, 1), {}),
    ((1, 300, 3, 3), (64, 300, 1, 1), {}),
    ((1, 24, 6, 9), (10, 24, 1, 1), {"stride": 2}),
    ((2, 19, 12, 21), (13, 19, 3, 3), {"stride": 2, "padding": 1}),
    ((1, 64, 20, 20), (64, 64, 3, 3), {"padding": 1}),
    ((2, 33, 7, 7), (32, 33, 3, 3), {"padding": (2, 1), "dilation": 2}),
    ((1, 9, 6, 8, 10), (7, 9, 3, 3, 3), {"padding": 1}),
    ((1, 2, 9, 300, 300), (3, 2, 7, 1, 1), {"padding": (3, 0, 0)}),
    ((2, 40, 75), (6, 40, 5), {"padding": "same", "dilation": 3}),
    ((1, 12, 10, 10), (12, 4, 3, 3), {"groups": 3, "padding": 1}),
    ((2, 33, 25, 23), (47, 33, 3, 3), {"stride": 2, "padding": 1}),
]


@pytest.mark.parametrize("mode", ["zeros", "circular"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128, np.uint8])
@pytest.mark.parametrize(("x_shape", "w_shape", "options"), DENSE, ids=str)
def test_channels_last_in_memory(x_shape, w_shape, options, dtype, mode):
    x, w = cases.random(x_shape, dtype), cases.random(w_shape, dtype, 1)
    options = {**options, "padding_mode": mode}
    conv = cases.of_rank(nn, "conv", x.ndim - 2)
    want = conv(x, w, **options)
    out = channels_last(np.empty_like(want))
    assert conv(channels_last(x), w, **options, out=out) is out
    np.testing.assert_array_equal(out, want)
    weight_grad = getattr(nn.grad, f"conv{x.ndim - 2}d_weight")
    grads = [
        weight_grad(a, w_shape, g, **options) for a in (x, channels_last(x)) for g in (want, out)
    ]
    for grad in grads[1:]:
        cases.assert_same(grad, grads[0], terms=want[0, 0].size * len(want))


def channels_last(a):
    """The same samples, one channel beside the other."""
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(a, 1, -1)), -1, 1)


@pytest.mark.parametrize(
    ("padding", "stride", "expected"),
    [
        ("valid", 1, [421, 842]),
        ("valid", 2, [421]),
        ("same", 1, [210, 421, 842, 84]),
        ("same", 2, [421, 84]),  # one sample is missing, and comes after
        ("same_lower", 2, [210, 842]),
        ("same", 3, [210, 84]),
        ("full", 1, [100, 210, 421, 842, 84, 8]),
        ("full", 2, [100, 421, 84]),
        ("causal", 1, [100, 210, 421, 842]),
        ("causal", 2, [100, 421]),
        (1, 1, [210, 421, 842, 84]),
        ((1,), 1, [210, 421, 842, 84]),
        ([(0, 2)], 1, [421, 842, 84, 8]),
    ],
)
def test_paddings_by_hand(padding, stride, expected):
    y = nn.conv1d([[1, 2, 4, 8]], [[[1, 10, 100]]], stride=stride, padding=padding)
    assert y.tolist() == [expected]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("zeros", [0, 0, 0, 0, 1, 2, 3, 0, 0, 0, 0]),
        ("replicate", [1, 1, 1, 1, 1, 2, 3, 3, 3, 3, 3]),
        ("reflect", [1, 2, 3, 2, 1, 2, 3, 2, 1, 2, 3]),
        ("circular", [3, 1, 2, 3, 1, 2, 3, 1, 2, 3, 1]),
    ],
)
def test_padding_modes_by_hand(mode, expected):
    y = nn.conv1d([[1, 2, 3]], [[[1]]], padding=4, padding_mode=mode)
    assert y.tolist() == [expected]


def test_correlation_and_convolution_by_hand():
    x, w = [[[1, 2, 3], [4, 5, 6], [7, 8, 9]]], [[[[1, 2], [3, 4]]]]
    assert nn.conv2d(x, w).tolist() == [[[37, 47], [67, 77]]]
    assert nn.conv2d(x, w, flip_filters=True).tolist() == [[[23, 33], [53, 63]]]


@pytest.mark.parametrize("rank", RANKS)
def test_flipped_filters_are_reversed_ones(rank):
    x, w = cases.random((2, 3) + (7,) * rank), cases.random((4, 3, *(3, 2, 4)[:rank]), seed=1)
    conv = cases.of_rank(nn, "conv", rank)
    reverse = np.flip(w, tuple(range(2, w.ndim)))
    got = conv(x, w, stride=2, padding=1, flip_filters=True)
    cases.assert_same(got, conv(x, reverse, stride=2, padding=1))


def test_nan_and_infinity_stay_where_the_taps_are():
    x = np.zeros((1, 1, 9, 40), np.float32)
    x[..., 4, 20] = np.nan
    y = nn.conv2d(x, np.ones((1, 1, 3, 3), np.float32), padding=1)
    rows, columns = np.nonzero(np.isnan(y[0, 0]))
    assert {*rows} == {3, 4, 5}
    assert {*columns} == {19, 20, 21}


@pytest.mark.parametrize("method", ["direct", "gemm"])
def test_padding_is_values(method):
    y = nn.conv1d([[1.0, 1, 1]], [[[np.inf, 0, 0]]], padding=1, method=method)
    np.testing.assert_array_equal(y, [[np.nan, np.inf, np.inf]])


@pytest.mark.parametrize("weight", [np.inf, np.nan, 1])
def test_padding_is_values_where_taps_lie_far_apart(weight):
    x, w = np.ones((1, 3, 13, 30), np.float32), np.ones((4, 3, 3, 3), np.float32)
    w[1, 2, 0, 0] = weight
    options = {"padding": 11, "dilation": 11}
    got = nn.conv2d(x, w, **options, method="direct")
    with np.errstate(invalid="ignore"):
        want = reference.conv2d(x, w, **options)
    np.testing.assert_array_equal(got, want)


def test_float16_is_rounded_once():
    x, w = cases.random((2, 8, 9, 9), np.float16), cases.random((8, 8, 3, 3), np.float16, 1)
    wide = nn.conv2d(x.astype(np.float32), w.astype(np.float32))
    np.testing.assert_array_equal(nn.conv2d(x, w), wide.astype(np.float16))


def test_float16_beyond_its_range_is_infinite():
    y = nn.conv1d(np.full((1, 4), 60000, np.float16), np.ones((1, 1, 2), np.float16))
    assert np.isposinf(y).all()


def test_bfloat16():
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    arrays = [cases.random(s).astype(bfloat16) for s in ((2, 4, 7, 7), (6, 2, 3, 3), (6,))]
    options = {"padding": 1, "groups": 2, "padding_mode": "circular"}
    got, want = (module.conv2d(*arrays, **options) for module in (nn, reference))
    assert got.dtype == bfloat16
    np.testing.assert_allclose(got.astype(float), want.astype(float), rtol=2**-7, atol=2**-7)


@pytest.mark.parametrize("dtype", [np.float32, np.complex64])
def test_accumulate_in_double(dtype):
    x = np.array([[1e8, 1, -1e8]], dtype)
    w = np.ones((1, 1, 3), dtype)
    assert nn.conv1d(x, w).item() == 0
    assert nn.conv1d(x, w, accumulate="double").item() == 1
    assert nn.conv1d(x, w, accumulate="double").dtype == dtype


def test_accumulate_leaves_integers_exact():
    x = np.array([[2**62, 2**62 + 1]])
    assert nn.conv1d(x, [[[3, 3]]], accumulate="double").item() == 3 * (2**63 + 1) - 2**65


@pytest.mark.parametrize("batch", [0, 2])
def test_without_samples_or_filters(batch):
    x = np.ones((batch, 2, 5, 5))
    assert nn.conv2d(x, np.ones((0, 2, 3, 3))).shape == (batch, 0, 3, 3)
    assert nn.conv2d(x[:0], np.ones((3, 2, 3, 3)), np.ones(3), padding=1).shape == (0, 3, 5, 5)


def test_whatever_numpy_can_view(tmp_path):
    x, w = cases.random((1, 2, 6, 6)), cases.random((3, 2, 3, 3), seed=1)
    want = nn.conv2d(x, w)
    mapped = np.memmap(tmp_path / "x", float, "w+", shape=x.shape)
    mapped[...] = x
    for other in (x.tolist(), memoryview(x), mapped, Viewed(x)):
        np.testing.assert_array_equal(nn.conv2d(other, w), want)


class Viewed:
    """An object with NumPy's array interface."""

    def __init__(self, array):
        self.__array_interface__ = array.__array_interface__
        self._keep = array


@pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning")
def test_every_argument_of_pytorch(capsys):
    torch = torch_on_one_thread()
    count = 0
    for rank, groups, dtype in itertools.product(RANKS, (1, 2, 4), ("f4", "f8", "c8", "i8")):
        x = cases.random((2, 4, *(9, 8, 7)[:rank]), dtype)
        w = cases.random((8, 4 // groups, *(3, 2, 3)[:rank]), dtype, 1)
        bias = cases.random(8, dtype, 2)
        call = cases.of_rank(torch.nn.functional, "conv", rank)
        for stride, padding, dilation, b, batched in torch_options(rank, (None, bias)):
            tensors = [None if a is None else torch.tensor(a) for a in (x, w, b)]
            tensors[0] = tensors[0] if batched else tensors[0][1]
            if dtype == "i8" and dilation != 1:
                continue  # PyTorch has no dilated convolution of integers
            arguments = stride, padding, dilation, groups
            want = call(*tensors, *arguments).numpy()
            got = cases.of_rank(nn, "conv", rank)(tensors[0], w, b, *arguments)
            cases.assert_same(got, want, rank=rank, arguments=arguments)
            count += 1
    with capsys.disabled():
        print(f"\nconvNd equals PyTorch {torch.__version__} in {count} cases")


@pytest.mark.parametrize("rank", RANKS)
def test_padding_modes_of_pytorch(rank):
    torch = torch_on_one_thread()
    taps = (3, 2, 3)[:rank]
    x = cases.random((2, 4, *(6, 5, 7)[:rank]))
    for mode, stride, padding, dilation, groups in itertools.product(
        MODES, (1, 2), (1, (3, 2, 4)[:rank]), (1, 2), (1, 2)
    ):
        layer = cases.of_rank(torch.nn, "Conv", rank)(
            4, 6, taps, stride, padding, dilation, groups, padding_mode=mode, dtype=torch.float64
        )
        want = layer(torch.tensor(x)).detach().numpy()
        w, bias = (p.detach().numpy() for p in (layer.weight, layer.bias))
        arguments = stride, padding, dilation, groups
        got = cases.of_rank(nn, "conv", rank)(x, w, bias, *arguments, padding_mode=mode)
        cases.assert_same(got, want, mode=mode, arguments=arguments)
