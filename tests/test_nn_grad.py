"""Gradients of layers against the reference, PyTorch, finite differences, and as adjoints."""

import itertools

import cases
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nn_cases import (
    MANY_CHANNELS,
    MODES,
    RANKS,
    layers,
    torch_on_one_thread,
    transposed_layers,
)

from pyconvc import nn
from pyconvc.nn import grad
from pyconvc.reference.nn import grad as reference

DTYPES = [*cases.DTYPES, np.dtype(np.float16)]
WRITABLE = ["contiguous", "fortran", "negative", "stepped", "channels_last", "unaligned"]

dtypes = st.sampled_from(DTYPES)
views = st.sampled_from([*cases.VIEWS])


def gradient_of(layer, y, view="contiguous"):
    """A random gradient of an output."""
    return cases.VIEWS[view](np.random.default_rng(layer.seed + 1), y.shape, y.dtype)


def without_output_size(layer):
    """Keywords of the gradients of a transposed convolution: the output's size tells the rest."""
    return {k: v for k, v in layer.options.items() if not k.startswith("output")}


@given(layers(), dtypes, views)
def test_convolution_matches_the_reference(layer, dtype, view):
    x, w, _ = layer.arrays(dtype, view)
    g = gradient_of(layer, layer.both("conv", x, w)[0], view)
    terms = 20 * layer.terms + g.size
    got, want = layer.both("conv", x.shape, w, g, suffix="_input")
    cases.assert_same(got, want, terms=terms, layer=layer, view=view, name="input")
    got, want = layer.both("conv", x, w.shape, g, suffix="_weight")
    cases.assert_same(got, want, terms=terms, layer=layer, view=view, name="weight")


@given(transposed_layers(), dtypes, views)
def test_transposed_matches_the_reference(layer, dtype, view):
    x, w, _ = layer.arrays(dtype, view, transposed=True)
    g = gradient_of(layer, layer.both("conv_transpose", x, w)[0], view)
    layer = layer.with_options(without_output_size(layer))
    terms = 20 * layer.terms + g.size
    got, want = layer.both("conv_transpose", x.shape, w, g, suffix="_input")
    cases.assert_same(got, want, terms=terms, layer=layer, view=view, name="input")
    got, want = layer.both("conv_transpose", x, w.shape, g, suffix="_weight")
    cases.assert_same(got, want, terms=terms, layer=layer, view=view, name="weight")


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64", "complex64", "bool"])
@pytest.mark.parametrize("name", MANY_CHANNELS)
def test_many_channels(name, dtype):
    """Each layer of the table, and the convolution that it is the adjoint of."""
    g_shape, w_shape, options = MANY_CHANNELS[name]
    rank = len(w_shape) - 2
    g, w = cases.random(g_shape, dtype), cases.random(w_shape, dtype, 1)
    size = cases.of_rank(nn, "conv_transpose", rank)(g, w, **options).shape
    x = cases.random(size, dtype, 2)
    options = {k: v for k, v in options.items() if k != "output_padding"}
    for function, arrays in (
        (f"conv{rank}d_input", (size, w, g)),
        (f"conv{rank}d_weight", (x, w_shape, g)),
        (f"conv_transpose{rank}d_weight", (g, w_shape, x)),
    ):
        got, want = (getattr(m, function)(*arrays, **options) for m in (grad, reference))
        cases.assert_same(got, want, terms=w[:, 0].size + g.size, name=name, function=function)


@pytest.mark.parametrize("dtype", [np.float32, np.complex128])
@pytest.mark.parametrize("view", cases.VIEWS)
@pytest.mark.parametrize("taps", [(1, 1), (2, 3)])
def test_many_channels_in_any_layout(view, dtype, taps):
    """Where nothing is padded, samples are read where they lie."""
    rng = np.random.default_rng(0)
    w_shape, options = (18, 20, *taps), {"stride": 1 if taps == (1, 1) else 2}
    x = cases.VIEWS[view](rng, (2, 20, 11, 13), dtype)
    w = cases.VIEWS[view](rng, w_shape, dtype)
    g = cases.VIEWS[view](rng, nn.conv2d(x, w, **options).shape, dtype)
    for function, arrays in (("conv2d_input", (x.shape, w, g)), ("conv2d_weight", (x, w_shape, g))):
        got, want = (getattr(m, function)(*arrays, **options) for m in (grad, reference))
        cases.assert_same(got, want, terms=g.size, view=view, function=function)


@given(layers(), st.sampled_from([float, complex]))
def test_adjoints_of_a_convolution(layer, dtype):
    """<A x, g> is <x, A' g> in the input, and <w, A' g> in the weight."""
    x, w, _ = layer.arrays(dtype)
    conv, by_input, by_weight = (
        cases.of_rank(module, "conv", layer.rank, suffix)
        for module, suffix in ((nn, ""), (grad, "_input"), (grad, "_weight"))
    )
    y = conv(x, w, **layer.options)
    g = gradient_of(layer, y)
    want, scale = np.vdot(y, g), np.abs(np.conj(y) * g).sum()
    got = (
        np.vdot(x, by_input(x.shape, w, g, **layer.options)),
        np.vdot(w, by_weight(x, w.shape, g, **layer.options)),
    )
    np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12 * scale)


@given(transposed_layers(), st.sampled_from([float, complex]))
def test_adjoints_of_a_transposed_convolution(layer, dtype):
    x, w, _ = layer.arrays(dtype, transposed=True)
    conv, by_input, by_weight = (
        cases.of_rank(module, "conv_transpose", layer.rank, suffix)
        for module, suffix in ((nn, ""), (grad, "_input"), (grad, "_weight"))
    )
    y = conv(x, w, **layer.options)
    g, options = gradient_of(layer, y), without_output_size(layer)
    want, scale = np.vdot(y, g), np.abs(np.conj(y) * g).sum()
    got = (
        np.vdot(x, by_input(x.shape, w, g, **options)),
        np.vdot(w, by_weight(x, w.shape, g, **options)),
    )
    np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12 * scale)


def slopes(loss, a, step=1e-5):
    """Central differences of a loss in every sample of an array."""
    result = np.empty_like(a)
    for at in np.ndindex(a.shape):
        moved = a.copy()
        moved[at] += step
        above = loss(moved)
        moved[at] -= 2 * step
        result[at] = (above - loss(moved)) / (2 * step)
    return result


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ["conv", "conv_transpose"])
def test_finite_differences(name, mode):
    """Of a loss that is not linear in the output."""
    x, w, bias = (
        cases.random((2, 4, 4, 5)),
        cases.random((4, 2, 3, 2), seed=1),
        cases.random(4, seed=2),
    )
    options = {"stride": (2, 1), "padding": 1, "groups": 2, "padding_mode": mode}
    layer = cases.of_rank(nn, name, 2)

    def loss(x, w, bias):
        return (layer(x, w, bias, **options) ** 3).sum() / 3

    g = layer(x, w, bias, **options) ** 2
    got = (
        cases.of_rank(grad, name, 2, "_input")(x.shape, w, g, **options),
        cases.of_rank(grad, name, 2, "_weight")(x, w.shape, g, **options),
        cases.of_rank(grad, name, 2, "_bias")(g),
    )
    want = (
        slopes(lambda a: loss(a, w, bias), x),
        slopes(lambda a: loss(x, a, bias), w),
        slopes(lambda a: loss(x, w, a), bias),
    )
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-5)


def test_the_turn_by_180_degrees_in_back_propagation():
    """The gradient of the input is a full correlation with the filter turned by 180 degrees."""
    x = np.array([[[1, 2, 3], [4, 5, 6], [7, 8, 9]]])
    w = np.array([[[[1, 2], [3, 4]]]])
    g = np.array([[[1, 10], [100, 1000]]])
    assert nn.conv2d(x, w).tolist() == [[[37, 47], [67, 77]]]
    # Each gradient times the filter, put where the filter stood:
    #   1 2 .      .  10 20      .   .   .      .    .    .
    #   3 4 .  +   .  30 40  +  100 200  .  +   .  1000 2000
    #   . . .      .   .  .     300 400  .      .  3000 4000
    want = [[[1, 12, 20], [103, 1234, 2040], [300, 3400, 4000]]]
    assert grad.conv2d_input(x.shape, w, g).tolist() == want
    turned = w[..., ::-1, ::-1]
    assert turned.tolist() == [[[[4, 3], [2, 1]]]]
    assert nn.conv2d(g, turned, padding="full").tolist() == want
    assert nn.conv2d(g, w, padding="full", flip_filters=True).tolist() == want
    assert nn.conv_transpose2d(g, w).tolist() == want
    # The gradient of the filter correlates the input with the gradient: nothing is turned.
    assert grad.conv2d_weight(x, w.shape, g).tolist() == nn.conv2d(x, g[None])[None].tolist()
    assert grad.conv2d_weight(x, w.shape, g).tolist() == [[[[5421, 6532], [8754, 9865]]]]
    # Where the layer turns its filter itself, the gradient of that filter is turned.
    flipped = grad.conv2d_weight(x, w.shape, g, flip_filters=True)
    assert flipped.tolist() == [[[[9865, 8754], [6532, 5421]]]]
    assert grad.conv2d_input(x.shape, turned, g, flip_filters=True).tolist() == want


def learn(flip_filters, steps=300):
    """Filters found by gradient descent from what a secret filter makes of noise."""
    x = cases.random((8, 1, 9, 9))
    secret = np.array([[[[0.0, 1, 2], [-1, 3, 0], [0.5, 0, -2]]]])
    target = nn.conv2d(x, secret, padding=1)
    w = np.zeros_like(secret)
    for _ in range(steps):
        error = nn.conv2d(x, w, padding=1, flip_filters=flip_filters) - target
        gradient = grad.conv2d_weight(x, w.shape, error, padding=1, flip_filters=flip_filters)
        w -= 0.5 * gradient / error.size
    return x, target, secret, w


def test_filters_learned_with_a_flip_are_loaded_with_it():
    x, target, secret, plain = learn(False)
    _, _, _, flipped = learn(True)
    np.testing.assert_allclose(plain, secret, atol=1e-6)
    np.testing.assert_allclose(flipped, secret[..., ::-1, ::-1], atol=1e-6)
    y = nn.conv2d(x, flipped, padding=1, flip_filters=True)
    np.testing.assert_allclose(y, target, atol=1e-5)
    assert np.abs(nn.conv2d(x, flipped, padding=1) - target).max() > 1


@given(layers(), dtypes, st.sampled_from(WRITABLE))
def test_out_in_any_layout(layer, dtype, view):
    x, w, _ = layer.arrays(dtype)
    g = gradient_of(layer, layer.both("conv", x, w)[0])
    for suffix, a, b in (("_input", x.shape, w), ("_weight", x, w.shape)):
        call = cases.of_rank(grad, "conv", layer.rank, suffix)
        want = call(a, b, g, **layer.options)
        out = cases.VIEWS[view](np.random.default_rng(0), want.shape, want.dtype)
        assert call(a, b, g, **layer.options, out=out) is out
        np.testing.assert_array_equal(out, want)


@pytest.mark.parametrize("dtype", [np.float32, np.complex64, np.int16])
def test_same_bits_for_any_number_of_workers(dtype):
    x, w = cases.random((3, 16, 20, 21), dtype), cases.random((24, 16, 3, 3), dtype, 1)
    g = cases.random((3, 24, 20, 21), dtype, 2)
    for suffix, a, b in (("_input", x.shape, w), ("_weight", x, w.shape)):
        call = cases.of_rank(grad, "conv", 2, suffix)
        want = call(a, b, g, 1, 1, workers=1)
        for workers in (2, 5):
            np.testing.assert_array_equal(call(a, b, g, 1, 1, workers=workers), want)


def test_weight_gradient_of_float16_is_summed_in_float32():
    x, g = np.full((64, 1, 64), 8, np.float16), np.full((64, 1, 64), 1, np.float16)
    assert grad.conv1d_weight(x, (1, 1, 1), g).item() == 32768
    assert grad.conv1d_bias(g).item() == 4096
    tiny = np.full((1, 1, 4096), 2.0**-14, np.float16)
    assert grad.conv1d_bias(tiny).item() == 0.25


def test_accumulate_in_double():
    x = np.array([[[1e8]], [[1]], [[-1e8]]], np.float32)
    g = np.ones((3, 1, 1), np.float32)
    assert grad.conv1d_weight(x, (1, 1, 1), g, accumulate="double").item() == 1
    assert grad.conv1d_bias(x, accumulate="double").item() == 1
    w, g = np.ones((3, 1, 1), np.float32), x.reshape(1, 3, 1)
    assert grad.conv1d_input((1, 1, 1), w, g, accumulate="double").item() == 1


def test_bias_gradient_wraps_and_counts_single_samples():
    g = np.full((2, 3, 4, 5), 100, np.int8)
    assert grad.conv2d_bias(g).tolist() == [4000 - 16 * 256 + 0] * 3
    assert grad.conv_transpose2d_bias(g[0]).tolist() == [2000 - 8 * 256] * 3
    assert grad.conv2d_bias(g).dtype == np.int8


def test_without_samples_or_filters():
    none, some = np.ones((0, 2, 5, 5)), np.ones((1, 2, 5, 5))
    w, no_filters = np.ones((3, 2, 3, 3)), np.ones((0, 2, 3, 3))
    assert not grad.conv2d_weight(none, w.shape, np.ones((0, 3, 3, 3))).any()
    assert not grad.conv2d_input(some.shape, no_filters, np.ones((1, 0, 3, 3))).any()
    assert grad.conv2d_input(none.shape, w, np.ones((0, 3, 3, 3))).shape == none.shape
    assert grad.conv2d_weight(some, no_filters.shape, np.ones((1, 0, 3, 3))).shape == (0, 2, 3, 3)
    y = nn.conv_transpose2d(np.ones((1, 0, 5, 5)), no_filters, np.arange(2.0))
    assert (y == [[[[0]], [[1]]]]).all()


def gradients(name, rank, x, w, g, arguments, **keywords):
    """The three gradients, in PyTorch's order."""
    return (
        cases.of_rank(grad, name, rank, "_input")(x.shape, w, g, *arguments, **keywords),
        cases.of_rank(grad, name, rank, "_weight")(x, w.shape, g, *arguments, **keywords),
        cases.of_rank(grad, name, rank, "_bias")(g),
    )


def test_every_argument_of_pytorch(capsys):
    torch = torch_on_one_thread()
    count = 0
    for rank, groups, dtype in itertools.product(RANKS, (1, 2, 4), (float, complex)):
        x = cases.random((2, 4, *(7, 6, 5)[:rank]), dtype)
        w = cases.random((8, 4 // groups, *(3, 2, 3)[:rank]), dtype, 1)
        bias = cases.random(8, dtype, 2)
        call = cases.of_rank(torch.nn.functional, "conv", rank)
        for stride, padding, dilation in itertools.product(
            (1, 2, (2, 1, 3)[:rank]), (0, 2, (1, 0, 2)[:rank]), (1, 2, (1, 2, 1)[:rank])
        ):
            arguments = stride, padding, dilation, groups
            _, g, want = cases.torch_gradients(call, (x, w, bias), *arguments)
            for a, b in zip(gradients("conv", rank, x, w, g, arguments), want, strict=True):
                cases.assert_same(a, b, arguments=arguments, rank=rank)
                count += 1
    with capsys.disabled():
        print(f"\ngradients of convNd equal PyTorch {torch.__version__}'s in {count} cases")


def test_every_argument_of_pytorch_transposed(capsys):
    torch = torch_on_one_thread()
    count = 0
    for rank, groups, dtype in itertools.product(RANKS, (1, 2, 4), (float, complex)):
        x = cases.random((2, 4, *(4, 3, 2)[:rank]), dtype)
        w = cases.random((4, 8 // groups, *(3, 2, 3)[:rank]), dtype, 1)
        bias = cases.random(8, dtype, 2)
        call = cases.of_rank(torch.nn.functional, "conv_transpose", rank)
        for stride, padding, added, dilation in itertools.product(
            (1, 2, 3), (0, 1), (0, 1), (1, 2)
        ):
            if added >= max(stride, dilation):
                continue
            arguments = stride, padding, added, groups, dilation
            _, g, want = cases.torch_gradients(call, (x, w, bias), *arguments)
            got = gradients("conv_transpose", rank, x, w, g, (stride, padding, dilation, groups))
            for a, b in zip(got, want, strict=True):
                cases.assert_same(a, b, arguments=arguments, rank=rank)
                count += 1
    with capsys.disabled():
        print(
            f"\ngradients of conv_transposeNd equal PyTorch {torch.__version__}'s in {count} cases"
        )


@pytest.mark.parametrize("rank", RANKS)
@pytest.mark.parametrize("mode", MODES)
def test_padding_modes_of_pytorch(rank, mode):
    torch = torch_on_one_thread()
    x = cases.random((2, 4, *(6, 5, 7)[:rank]))
    for stride, padding, dilation in itertools.product((1, 2), (1, (3, 2, 4)[:rank]), (1, 2)):
        layer = cases.of_rank(torch.nn, "Conv", rank)(
            4,
            6,
            (3, 2, 3)[:rank],
            stride,
            padding,
            dilation,
            padding_mode=mode,
            dtype=torch.float64,
        )
        _, g, (by_input,) = cases.torch_gradients(layer, [x])
        w = layer.weight.detach().numpy()
        got = gradients("conv", rank, x, w, g, (stride, padding, dilation), padding_mode=mode)
        want = by_input, layer.weight.grad.numpy(), layer.bias.grad.numpy()
        for a, b in zip(got, want, strict=True):
            cases.assert_same(a, b, mode=mode, stride=stride, padding=padding, dilation=dilation)
