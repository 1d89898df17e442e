"""The twins of layers against PyTorch where it is installed, hand-written numbers, and algebra."""

import doctest
import itertools

import cases
import numpy as np
import pytest

from pyconvc.reference import nn, output_size
from pyconvc.reference.nn import _conv, _layout, grad

RANKS = [1, 2, 3]
SPACES = {1: (9,), 2: (7, 6), 3: (5, 5, 6)}
TAPS = {1: (3,), 2: (3, 2), 3: (2, 3, 1)}


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch", reason="PyTorch is the authority here")


def layer(rank, groups=1, dtype=float):
    """Input, weight and bias of a convolution."""
    x = cases.random((2, 2 * groups, *SPACES[rank]), dtype)
    w = cases.random((3 * groups, 2, *TAPS[rank]), dtype, 1)
    return x, w, cases.random(3 * groups, dtype, 2)


@pytest.mark.parametrize("module", [_conv, _layout, grad])
def test_examples_in_docstrings(module):
    failed, tried = doctest.testmod(module)
    assert tried > 0
    assert failed == 0


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


@pytest.mark.parametrize("n", range(1, 9))
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", ["same", "same_lower"])
def test_same_gives_one_output_for_each_stride(n, stride, padding):
    for k, dilation in itertools.product(range(1, 5), (1, 2)):
        y = nn.conv1d(np.ones((1, n)), np.ones((1, 1, k)), None, stride, padding, dilation)
        assert y.shape == (1, -(-n // stride))


def test_unknown_padding():
    with pytest.raises(ValueError, match="padding='half'"):
        nn.conv1d([[1]], [[[1]]], padding="half")
    with pytest.raises(ValueError, match="padding='half'"):
        nn.conv_transpose1d([[1]], [[[1]]], padding="half")


@pytest.mark.parametrize("rank", RANKS)
def test_flipped_filters_are_convolution(rank):
    x, w, bias = layer(rank)
    reverse = np.flip(w, tuple(range(2, w.ndim)))
    for name in ("conv", "conv_transpose"):
        call = cases.of_rank(nn, name, rank)
        b = bias if name == "conv" else bias[:2]
        source = x if name == "conv" else cases.random((2, 3, *SPACES[rank]))
        got = call(source, w, b, flip_filters=True)
        cases.assert_same(got, call(source, reverse, b), name=name)


@pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning")
@pytest.mark.parametrize("rank", RANKS)
@pytest.mark.parametrize("groups", [1, 2])
def test_convolution(torch, rank, groups):
    x, w, bias = layer(rank, groups)
    call = cases.of_rank(torch.nn.functional, "conv", rank)
    for stride, padding, dilation, b in itertools.product(
        (1, 2, [3] * rank), (0, 2, [1] * rank, "valid", "same"), (1, 2), (None, bias)
    ):
        if padding == "same" and stride != 1:
            continue
        tensors = [a if a is None else torch.tensor(a) for a in (x, w, b)]
        want = call(*tensors, stride, padding, dilation, groups).numpy()
        got = cases.of_rank(nn, "conv", rank)(x, w, b, stride, padding, dilation, groups)
        cases.assert_same(got, want, stride=stride, padding=padding, dilation=dilation)
        single = cases.of_rank(nn, "conv", rank)(x[0], w, b, stride, padding, dilation, groups)
        cases.assert_same(single, want[0])


@pytest.mark.parametrize("rank", RANKS)
@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.float32, np.complex128], ids=str)
def test_convolution_of_dtype(torch, rank, dtype):
    x, w, bias = layer(rank, dtype=dtype)
    tensors = map(torch.tensor, (x, w, bias))
    want = cases.of_rank(torch.nn.functional, "conv", rank)(*tensors, 2, 1).numpy()
    cases.assert_same(cases.of_rank(nn, "conv", rank)(x, w, bias, 2, 1), want)


@pytest.mark.parametrize("rank", RANKS)
@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
def test_padding_modes(torch, rank, mode):
    x, w, bias = layer(rank)
    module = cases.of_rank(torch.nn, "Conv", rank)(2, 3, TAPS[rank], 2, 1, padding_mode=mode)
    module.weight.data, module.bias.data = torch.tensor(w), torch.tensor(bias)
    want = module(torch.tensor(x)).detach().numpy()
    got = cases.of_rank(nn, "conv", rank)(x, w, bias, 2, 1, padding_mode=mode)
    cases.assert_same(got, want)


@pytest.mark.parametrize("rank", RANKS)
@pytest.mark.parametrize("dtype", [float, complex])
@pytest.mark.parametrize("groups", [1, 2])
def test_convolution_gradients(torch, rank, groups, dtype):
    x, w, bias = layer(rank, groups, dtype)
    call = cases.of_rank(torch.nn.functional, "conv", rank)
    for stride, padding, dilation in itertools.product((1, 2), (0, 1), (1, 2)):
        arguments = stride, padding, dilation, groups
        _, g, want = cases.torch_gradients(call, (x, w, bias), *arguments)
        got = [
            cases.of_rank(grad, "conv", rank, "_input")(x.shape, w, g, *arguments),
            cases.of_rank(grad, "conv", rank, "_weight")(x, w.shape, g, *arguments),
            cases.of_rank(grad, "conv", rank, "_bias")(g),
        ]
        for a, b, name in zip(got, want, ("input", "weight", "bias"), strict=True):
            cases.assert_same(a, b, name=name, arguments=arguments)
        single = cases.of_rank(grad, "conv", rank, "_input")(x.shape[1:], w, g[0], *arguments)
        cases.assert_same(single, got[0][0])


@pytest.mark.parametrize("padding", ["same", "full", "causal", [(2, 0)], 1])
@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("flip", [False, True])
def test_gradients_of_every_padding_are_adjoints(flip, mode, padding):
    x, w, _ = layer(1)
    options = {"padding": padding, "stride": 2, "padding_mode": mode, "flip_filters": flip}
    y = nn.conv1d(x, w, **options)
    g = cases.random(y.shape, seed=5)
    want = (y * g).sum()
    by_input = (x * grad.conv1d_input(x.shape, w, g, **options)).sum()
    by_weight = (w * grad.conv1d_weight(x, w.shape, g, **options)).sum()
    np.testing.assert_allclose([by_input, by_weight], want, rtol=1e-12)


def transposed_layer(rank, groups=1, dtype=float):
    """Input, weight and bias of a transposed convolution."""
    x = cases.random((2, 3 * groups, *SPACES[rank]), dtype)
    w = cases.random((3 * groups, 2, *TAPS[rank]), dtype, 1)
    return x, w, cases.random(2 * groups, dtype, 2)


@pytest.mark.parametrize("rank", RANKS)
@pytest.mark.parametrize("dtype", [float, complex])
@pytest.mark.parametrize("groups", [1, 2])
def test_transposed(torch, rank, groups, dtype):
    x, w, bias = transposed_layer(rank, groups, dtype)
    call = cases.of_rank(torch.nn.functional, "conv_transpose", rank)
    for stride, padding, added, dilation in itertools.product(
        (1, 2, 3), (0, 1), (0, 1, 2), (1, 2, 3)
    ):
        if added >= max(stride, dilation):
            continue
        arguments = stride, padding, added, groups, dilation
        y, g, want = cases.torch_gradients(call, (x, w, bias), *arguments)
        got = cases.of_rank(nn, "conv_transpose", rank)(x, w, bias, *arguments)
        context = {"stride": stride, "padding": padding, "added": added, "dilation": dilation}
        cases.assert_same(got, y, **context)
        rest = stride, padding, dilation, groups
        by_input = cases.of_rank(grad, "conv_transpose", rank, "_input")(x.shape, w, g, *rest)
        by_weight = cases.of_rank(grad, "conv_transpose", rank, "_weight")(x, w.shape, g, *rest)
        cases.assert_same(by_input, want[0], **context)
        cases.assert_same(by_weight, want[1], **context)
        cases.assert_same(cases.of_rank(grad, "conv", rank, "_bias")(g), want[2], **context)


def test_transposed_by_hand():
    x, w = [[1, 2]], [[[1, 10, 100]]]
    assert nn.conv_transpose1d(x, w).tolist() == [[1, 12, 120, 200]]
    assert nn.conv_transpose1d(x, w, stride=2).tolist() == [[1, 10, 102, 20, 200]]
    assert nn.conv_transpose1d(x, w, stride=2, padding=1).tolist() == [[10, 102, 20]]
    assert nn.conv_transpose1d(x, w, stride=2, padding=[(2, 0)]).tolist() == [[102, 20, 200]]
    assert nn.conv_transpose1d(x, w, stride=2, output_size=(6,)).tolist() == [
        [1, 10, 102, 20, 200, 0]
    ]
    assert nn.conv_transpose1d(x, w, dilation=2, flip_filters=True).tolist() == [
        [100, 200, 10, 20, 1, 2]
    ]
    assert nn.conv_transpose1d(x, w, [5], padding=1, padding_mode="circular").tolist() == [
        [5 + 12 + 200, 5 + 120 + 1]
    ]


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("rank", RANKS)
def test_transposed_is_the_adjoint(rank, flip, mode):
    _, w, _ = layer(rank)
    for stride, padding, dilation in itertools.product((1, 2), (0, 1, [(2, 1)] * rank), (1, 2)):
        options = {"padding_mode": mode, "flip_filters": flip, "dilation": dilation}
        y = cases.random((2, 2, *SPACES[rank]), seed=3)
        down = cases.of_rank(nn, "conv", rank)(y, w, None, stride, padding, **options)
        x = cases.random(down.shape, seed=4)
        up = cases.of_rank(nn, "conv_transpose", rank)(
            x, w, None, stride, padding, output_size=y.shape[2:], **options
        )
        np.testing.assert_allclose((down * x).sum(), (y * up).sum(), rtol=1e-11)


@pytest.mark.parametrize("arguments", [{"output_padding": 2}, {"output_size": (3,)}])
def test_transposed_out_of_reach(arguments):
    with pytest.raises(ValueError, match="output_padding"):
        nn.conv_transpose1d([[1, 2]], [[[1, 10, 100]]], stride=2, **arguments)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("padding", [0, (1, 2)])
@pytest.mark.parametrize("dilation", [1, 2])
def test_columns(torch, dilation, padding, stride):
    x = cases.random((2, 3, 8, 7))
    arguments = (3, 2), dilation, padding, stride
    want = torch.nn.functional.unfold(torch.tensor(x), *arguments).numpy()
    cases.assert_same(nn.unfold(x, *arguments), want)
    cases.assert_same(nn.unfold(x[0], *arguments), want[0])
    back = torch.nn.functional.fold(torch.tensor(want), (8, 7), *arguments).numpy()
    cases.assert_same(nn.fold(want, (8, 7), *arguments), back)
    cases.assert_same(nn.fold(want[0], (8, 7), *arguments), back[0])


@pytest.mark.parametrize("rank", RANKS)
def test_columns_times_weight_are_convolution(rank):
    x, w, _ = layer(rank)
    columns = nn.unfold(x, TAPS[rank], 2, 2, 1)
    sizes = zip(SPACES[rank], TAPS[rank], strict=True)
    out = [output_size(n, k, 1, 2, 2, 2) for n, k in sizes]
    product = (w.reshape(len(w), -1) @ columns).reshape(2, len(w), *out)
    cases.assert_same(product, cases.of_rank(nn, "conv", rank)(x, w, None, 1, 2, 2))


@pytest.mark.parametrize(
    ("mode", "pads"),
    [
        *itertools.product(
            ["constant", "reflect", "replicate", "circular"],
            [(1, 2), (2, 0, 1, 1), (-1, 2), (0, -2, 1, -1), (-1, -1)],
        ),
        ("constant", (1, 0, 2, 1, 0, 1, -1, 2)),
        ("replicate", (1, 2, 3, 4, 5, 6)),
    ],
)
def test_pad(torch, mode, pads):
    x = cases.random((2, 3, 4, 5))
    if len(pads) == 2 and mode != "constant":
        x = x[:, 0]
    if len(pads) == 6:
        x = x[None]
    value = 7.0 if mode == "constant" else None
    call = torch.nn.functional.pad
    want, g, back = cases.torch_gradients(call, [x], pads, mode, value)
    cases.assert_same(nn.pad(x, pads, mode, value), want)
    cases.assert_same(grad.pad_input(x.shape, g, pads, mode), back[0])


def test_pad_turns_again():
    x = np.arange(3)
    for mode, name in (("reflect", "reflect"), ("circular", "wrap"), ("replicate", "edge")):
        cases.assert_same(nn.pad(x, (7, 8), mode), np.pad(x, (7, 8), name))


def test_shuffles(torch):
    x = cases.random((2, 12, 4, 6))
    functional = torch.nn.functional
    tensor = torch.tensor(x)
    cases.assert_same(nn.pixel_shuffle(x, 2), functional.pixel_shuffle(tensor, 2).numpy())
    cases.assert_same(nn.pixel_unshuffle(x, 2), functional.pixel_unshuffle(tensor, 2).numpy())
    cases.assert_same(nn.channel_shuffle(x, 3), functional.channel_shuffle(tensor, 3).numpy())
    cases.assert_same(nn.pixel_unshuffle(nn.pixel_shuffle(x, 2), 2), x)
    cases.assert_same(nn.channel_shuffle(nn.channel_shuffle(x, 3), 4), x)
