"""conv_transposeNd against the reference, PyTorch and hand-written numbers, and as an adjoint."""

import itertools

import cases
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nn_cases import MANY_CHANNELS, MODES, RANKS, torch_on_one_thread, transposed_layers

from pyconvc import arithmetic, nn
from pyconvc.reference import nn as reference

DTYPES = [*cases.DTYPES, np.dtype(np.float16)]
WRITABLE = ["contiguous", "fortran", "negative", "stepped", "channels_last", "unaligned"]

dtypes = st.sampled_from(DTYPES)


@given(transposed_layers(), dtypes, st.sampled_from([*cases.VIEWS]))
def test_matches_the_reference(layer, dtype, view):
    arrays = layer.arrays(dtype, view, transposed=True)
    got, want = layer.both("conv_transpose", *arrays)
    cases.assert_same(got, want, terms=20 * layer.terms, layer=layer, view=view)


@given(transposed_layers(), dtypes, st.sampled_from(WRITABLE))
def test_out_in_any_layout(layer, dtype, view):
    arrays = layer.arrays(dtype, transposed=True)
    call = cases.of_rank(nn, "conv_transpose", layer.rank)
    want = call(*arrays, **layer.options)
    out = cases.VIEWS[view](np.random.default_rng(0), want.shape, dtype)
    assert call(*arrays, **layer.options, out=out) is out
    np.testing.assert_array_equal(out, want)


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64", "complex64", "bool"])
@pytest.mark.parametrize("name", MANY_CHANNELS)
def test_many_channels(name, dtype):
    x_shape, w_shape, options = MANY_CHANNELS[name]
    x, w = cases.random(x_shape, dtype), cases.random(w_shape, dtype, 1)
    bias = cases.random(w_shape[1] * options.get("groups", 1), dtype, 2)
    function = f"conv_transpose{x.ndim - 2}d"
    got = getattr(nn, function)(x, w, bias, **options)
    want = getattr(reference, function)(x, w, bias, **options)
    cases.assert_same(got, want, terms=w[:, 0].size, name=name)


def test_nan_stays_local():
    """A line, a band and a tile that are not full: what fills them meets no output."""
    x, w = cases.random((1, 20, 19, 21), "f4"), cases.random((20, 5, 3, 3), "f4", 1)
    want = nn.conv_transpose2d(x, w, None, 2)
    x[0, 3, 18, 20] = np.nan
    got = nn.conv_transpose2d(x, w, None, 2)
    assert np.isnan(got[..., 36:39, 40:43]).all()
    got[..., 36:39, 40:43] = want[..., 36:39, 40:43]
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("taps", [2, 3, 4])
def test_infinite_weights_stay_within_their_reach(taps):
    x, w = cases.random((1, 20, 18, 19), "f4"), cases.random((20, 6, taps, taps), "f4", 1)
    w[3, 2, 0, -1], w[4, 1, 1, 0] = np.inf, np.nan
    got, want = (module.conv_transpose2d(x, w, stride=2, padding=1) for module in (nn, reference))
    finite = np.isfinite(want)
    assert not finite.all()
    np.testing.assert_array_equal(np.isfinite(got), finite)
    cases.assert_same(np.where(finite, got, 0), np.where(finite, want, 0), terms=w[:, 0].size)


def test_by_hand():
    x, w = [[1, 2]], [[[1, 10, 100]]]
    assert nn.conv_transpose1d(x, w).tolist() == [[1, 12, 120, 200]]
    assert nn.conv_transpose1d(x, w, stride=2).tolist() == [[1, 10, 102, 20, 200]]
    assert nn.conv_transpose1d(x, w, stride=2, padding=1).tolist() == [[10, 102, 20]]
    assert nn.conv_transpose1d(x, w, stride=2, padding=[(2, 0)]).tolist() == [[102, 20, 200]]
    assert nn.conv_transpose1d(x, w, dilation=2).tolist() == [[1, 2, 10, 20, 100, 200]]
    assert nn.conv_transpose1d(x, w, stride=2, flip_filters=True).tolist() == [
        [100, 10, 201, 20, 2]
    ]
    assert nn.conv_transpose1d(x, w, [5], padding=1, padding_mode="circular").tolist() == [
        [5 + 12 + 200, 5 + 120 + 1]
    ]


def test_output_padding_is_computed_and_not_zero():
    """The outputs that it adds are outputs like the others: kernel 3 at stride 2 reaches them."""
    x, w = [[1, 2, 3]], [[[1, 10, 100]]]
    assert nn.conv_transpose1d(x, w, None, 2, 1).tolist() == [[10, 102, 20, 203, 30]]
    assert nn.conv_transpose1d(x, w, None, 2, 1, 1).tolist() == [[10, 102, 20, 203, 30, 300]]
    assert nn.conv_transpose1d(x, w, stride=2, output_padding=1).tolist() == [
        [1, 10, 102, 20, 203, 30, 300, 0]
    ]


@pytest.mark.parametrize("n", range(1, 6))
@pytest.mark.parametrize("k", range(1, 5))
def test_sizes_are_those_of_the_arithmetic(n, k):
    x, w = np.ones((1, n)), np.ones((1, 1, k))
    for stride, padding, dilation in itertools.product((1, 2, 3), (0, 1), (1, 2)):
        arguments = n, k, stride, padding, dilation
        for size in arithmetic.transpose_sizes(*arguments):
            options = {"stride": stride, "padding": padding, "dilation": dilation}
            by_size = nn.conv_transpose1d(x, w, output_size=size.size, **options)
            by_padding = nn.conv_transpose1d(x, w, output_padding=size.output_padding, **options)
            assert by_size.shape == (1, size.size)
            np.testing.assert_array_equal(by_size, by_padding)


@pytest.mark.parametrize("name", ["same", "same_lower"])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("k", [3, 4])
def test_same_is_that_of_the_convolution(name, stride, k):
    x, w = cases.random((2, 3, 5)), cases.random((3, 4, k), seed=1)
    up = nn.conv_transpose1d(x, w, stride=stride, padding=name)
    assert up.shape == (2, 4, 5 * stride)
    for wanted in range(4 * stride + 1, 5 * stride + 1):
        up = nn.conv_transpose1d(x, w, stride=stride, padding=name, output_size=wanted)
        y = cases.random(up.shape, seed=2)
        down = nn.conv1d(y, w, stride=stride, padding=name)
        np.testing.assert_allclose((up * y).sum(), (x * down).sum(), rtol=1e-12)


@pytest.mark.parametrize("name", ["same", "same_lower"])
@pytest.mark.parametrize("stride", [1, 2, (3, 1)])
@pytest.mark.parametrize("dilation", [1, (2, 3)])
@pytest.mark.parametrize("taps", [(1, 1), (3, 4), (6, 2)])
def test_same_is_that_of_the_reference(name, stride, dilation, taps):
    x, w = cases.random((2, 3, 5, 6)), cases.random((3, 4, *taps), seed=1)
    largest = np.multiply((5, 6), stride)
    sizes = [{"output_size": tuple(map(int, n))} for n in (largest, largest - stride + 1)]
    for size in [*sizes, {}, {"output_padding": tuple(n - 1 for n in np.broadcast_to(stride, 2))}]:
        options = {"stride": stride, "dilation": dilation, "padding": name} | size
        want = reference.conv_transpose2d(x, w, **options)
        cases.assert_same(nn.conv_transpose2d(x, w, **options), want, terms=100, options=options)


@pytest.mark.parametrize("output_size", [(9, 12), [2, 3, 9, 12], (3, 9, 12)])
def test_output_size_in_every_form_of_pytorch(output_size):
    x, w = np.ones((2, 4, 5, 6)), np.ones((4, 3, 1, 2))
    assert nn.conv_transpose2d(x, w, stride=2, output_size=output_size).shape == (2, 3, 9, 12)


@given(transposed_layers())
def test_is_the_adjoint(layer):
    """<A x, y> == <x, A' y> for the convolution A, whatever its arguments."""
    x, w, _ = layer.arrays(float, transposed=True)
    up = cases.of_rank(nn, "conv_transpose", layer.rank)(x, w, None, **layer.options)
    y = cases.random(up.shape, seed=layer.seed + 1)
    options = {k: v for k, v in layer.options.items() if not k.startswith("output")}
    down = cases.of_rank(nn, "conv", layer.rank)(y, w, None, **options)
    # Where output padding goes beyond the stride there are outputs that no input of ours made.
    common = tuple(map(slice, x.shape))
    np.testing.assert_allclose(
        (up * y).sum(), (x * down[common]).sum(), rtol=1e-12, atol=1e-12 * np.abs(up * y).sum()
    )


@pytest.mark.parametrize("mode", MODES)
def test_float16_and_double(mode):
    x, w = cases.random((2, 4, 6), np.float16), cases.random((4, 3, 3), np.float16, 1)
    options = {"padding": 1, "stride": 2, "padding_mode": mode}
    wide = nn.conv_transpose1d(x.astype(np.float32), w.astype(np.float32), **options)
    got = nn.conv_transpose1d(x, w, **options)
    np.testing.assert_array_equal(got, wide.astype(np.float16))
    got = nn.conv_transpose1d(x, w, **options, accumulate="double")
    wide = nn.conv_transpose1d(x.astype(float), w.astype(float), **options)
    np.testing.assert_array_equal(got, wide.astype(np.float16))


@pytest.mark.parametrize("workers", [2, 5])
@pytest.mark.parametrize("dtype", [np.float32, np.complex64, np.int16])
@pytest.mark.parametrize(("channels", "taps", "padding"), [(16, 4, 1), (170, 2, 0), (40, 3, 1)])
def test_same_bits_for_any_number_of_workers_and_any_batch(channels, taps, padding, dtype, workers):
    x = cases.random((3, channels, 20, 21), dtype)
    w = cases.random((channels, 12, taps, taps), dtype, 1)
    want = nn.conv_transpose2d(x, w, None, 2, padding, workers=1)
    got = nn.conv_transpose2d(x, w, None, 2, padding, workers=workers)
    np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(nn.conv_transpose2d(x[1], w, None, 2, padding), want[1])


def transposed_options(rank, dtype):
    """stride, padding, output padding, dilation."""
    for options in itertools.product(
        (1, 2, (2, 1, 3)[:rank]),
        (0, 1, (1, 0, 2)[:rank]),
        (0, 1, (0, 1, 1)[:rank]),
        (1,) if dtype == "i8" else (1, 2, (1, 2, 1)[:rank]),  # PyTorch does not dilate integers
    ):
        stride, _, added, dilation = options
        if np.less(added, np.maximum(stride, dilation)).all():
            yield options


def test_every_argument_of_pytorch(capsys):
    torch = torch_on_one_thread()
    count = 0
    for rank, groups, dtype in itertools.product(RANKS, (1, 2, 4), ("f4", "f8", "c8", "i8")):
        x = cases.random((2, 4, *(5, 4, 3)[:rank]), dtype)
        w = cases.random((4, 8 // groups, *(3, 2, 3)[:rank]), dtype, 1)
        bias = cases.random(8, dtype, 2)
        call = cases.of_rank(torch.nn.functional, "conv_transpose", rank)
        for stride, padding, added, dilation in transposed_options(rank, dtype):
            for batched, b in itertools.product((True, False), (None, bias)):
                tensors = [None if a is None else torch.tensor(a) for a in (x, w, b)]
                tensors[0] = tensors[0] if batched else tensors[0][1]
                arguments = stride, padding, added, groups, dilation
                want = call(*tensors, *arguments).numpy()
                got = cases.of_rank(nn, "conv_transpose", rank)(tensors[0], w, b, *arguments)
                cases.assert_same(got, want, terms=500, rank=rank, arguments=arguments)
                count += 1
    with capsys.disabled():
        print(f"\nconv_transposeNd equals PyTorch {torch.__version__} in {count} cases")
