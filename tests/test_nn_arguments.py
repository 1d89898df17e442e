"""Bad arguments of layers: each error names the argument, its value and what is allowed."""

import re

import cases
import numpy as np
import pytest

from pyconvc import nn

X, W = np.ones((1, 4, 6, 7)), np.ones((6, 4, 3, 3))
G = np.ones((1, 6, 4, 5))
T = np.ones((1, 6, 4, 5))
READ_ONLY = np.ones((1, 6, 4, 5))
READ_ONLY.flags.writeable = False
BUFFER = np.ones(1000)


def conv(x=X, w=W, *arguments, **keywords):
    return nn.conv2d(x, w, *arguments, **keywords)


def transposed(x=T, w=W, *arguments, **keywords):
    return nn.conv_transpose2d(x, w, *arguments, **keywords)


BAD = [
    # arrays
    (lambda: conv(np.ones(4)), "input.shape=(4,)", "(N, C, *space) or (C, *space)"),
    (lambda: conv(w=np.ones((6, 4, 3))), "weight.shape=(6, 4, 3)", "4 axes"),
    (lambda: conv(np.ones((1, 5, 6, 7))), "input.shape=(1, 5, 6, 7)", "must have 4 channels"),
    (lambda: conv(w=np.ones((6, 0, 3, 3))), "weight.shape=(6, 0, 3, 3)", "channels and taps"),
    (lambda: conv(bias=np.ones(5)), "bias.shape=(5,)", "must be (6,)"),
    (lambda: conv(bias=np.ones((6, 1))), "bias.shape=(6, 1)", "must be (6,)"),
    (lambda: transposed(np.ones((1, 5, 4, 5))), "input.shape=(1, 5, 4, 5)", "weight.shape[0]=6"),
    (lambda: transposed(bias=np.ones(6)), "bias.shape=(6,)", "must be (4,)"),
    # groups
    (lambda: conv(groups=2), "input.shape=(1, 4, 6, 7)", "must have 8 channels: groups=2"),
    (lambda: conv(groups=4), "groups=4", "must divide weight.shape[0]=6"),
    (lambda: conv(groups=0), "groups=0", ">= 1"),
    (lambda: transposed(groups=5), "groups=5", "must divide weight.shape[0]=6"),
    # steps
    (lambda: conv(stride=0), "stride=0", ">= 1"),
    (lambda: conv(stride=(1, -2)), "stride=-2", ">= 1"),
    (lambda: conv(stride=(1, 2, 3)), "stride=(1, 2, 3)", "2 axes"),
    (lambda: conv(dilation=0), "dilation=0", ">= 1"),
    (lambda: conv(dilation=()), "dilation=()", "2 axes"),
    (lambda: conv(stride=2**64), "stride=(18446744073709551616, 18446744073709551616)", "at most"),
    (lambda: conv(dilation=2**63, padding=2**63), "dilation=(9223372036854775808,", "at most"),
    (lambda: conv(padding=(2**62, 1)), "padding=(4611686018427387904, 1,", "at most"),
    (lambda: transposed(stride=(1, 2**63)), "stride=(1, 9223372036854775808)", "at most"),
    (lambda: nn.plan(X.shape, W, stride=2**63), "stride=(9223372036854775808,", "at most"),
    (
        lambda: nn.grad.conv2d_input((1, 4, 3, 3), W, G[..., :1, :1], 2**63),
        "stride=(9223372036854775808,",
        "at most",
    ),
    # padding
    (lambda: conv(padding=-1), "padding=-1", ">= 0"),
    (lambda: conv(padding=(1, -1)), "padding=-1", ">= 0"),
    (lambda: conv(padding="half"), "padding='half'", "'same'"),
    (lambda: conv(padding=(1, 2, 3)), "padding=(1, 2, 3)", "2 axes"),
    (lambda: conv(padding=((1, 2, 3), 1)), "padding=(1, 2, 3)", "pair"),
    (lambda: conv(padding_mode="mirror"), "padding_mode='mirror'", "'reflect'"),
    (lambda: conv(padding_mode=["zeros"]), "padding_mode=['zeros']", "'zeros'"),
    # sizes, with the formula's numbers
    (lambda: conv(dilation=3), "input=6", "floor((6 + 0 + 0 - 7) / 1) + 1 = 0 is below 1"),
    (lambda: conv(np.ones((1, 4, 0, 7))), "input=0", ">= 1"),
    (
        lambda: transposed(output_padding=1),
        "output_padding=1",
        "smaller than stride=1 or dilation=1",
    ),
    (lambda: transposed(output_padding=-1), "output_padding=-1", ">= 0"),
    (lambda: transposed(stride=2, output_size=(9, 13)), "output_size=13", "sizes 11 to 12"),
    (lambda: transposed(stride=2, output_size=9), "output_size=9", "sizes 11 to 12"),
    (lambda: transposed(stride=2, output_size=(1, 2, 3, 4, 5)), "output_size=(1, 2", "2 axes"),
    (
        lambda: transposed(stride=2, output_padding=1, output_size=(9, 11)),
        "output_padding=(1, 1)",
        "takes (0, 0)",
    ),
    (lambda: transposed(padding=3), "padding=(3, 3)", "(4 - 1) * 1 + 3 - 3 - 3 + 0 = 0 is below 1"),
    # names and options
    (lambda: conv(method="winograd2"), "method='winograd2'", "'gemm'"),
    (lambda: conv(X.astype(int), W.astype(int), method="gemm"), "method='gemm'", "int64"),
    (lambda: conv(X.astype(bool), W.astype(bool), method="fft"), "method='fft'", "bool"),
    (lambda: conv(accumulate="single"), "accumulate='single'", "'double'"),
    (lambda: conv(workers=0), "workers", "positive"),
    # out
    (lambda: conv(out=np.ones((1, 6, 4, 4))), "out.shape=(1, 6, 4, 4)", "(1, 6, 4, 5)"),
    (lambda: conv(out=READ_ONLY), "out", "writeable"),
    (
        lambda: conv(BUFFER[:168].reshape(X.shape), out=BUFFER[160:280].reshape(G.shape)),
        "out",
        "overlap input",
    ),
    # gradients
    (
        lambda: nn.grad.conv2d_input(X.shape, W, G[..., :4]),
        "grad_output.shape=(1, 6, 4, 4)",
        "4, 5)",
    ),
    (lambda: nn.grad.conv2d_input(X.shape, W, G[0]), "grad_output.shape=(6, 4, 5)", "(1, 6, 4, 5)"),
    (lambda: nn.grad.conv2d_input((4, 6), W, G), "input_size=(4, 6)", "(N, C, *space)"),
    (lambda: nn.grad.conv2d_input((1, 4, -6, 7), W, G), "input_size=(1, 4, -6, 7)", "at least 0"),
    (lambda: nn.grad.conv2d_weight(X, (6, 4, 3), G), "weight_size=(6, 4, 3)", "2 axes of taps"),
    (
        lambda: nn.grad.conv2d_weight(X, W.shape, G[:, :3]),
        "grad_output.shape=(1, 3",
        "(1, 6, 4, 5)",
    ),
    (
        lambda: nn.grad.conv_transpose2d_input(T.shape, W, X[..., :5]),
        "grad_output.shape=(1, 4, 6, 5)",
        "come the sizes 7 to 7",
    ),
    (
        lambda: nn.grad.conv_transpose2d_input(T.shape, W, X[0]),
        "grad_output.shape=(4, 6, 7)",
        "(N, C",
    ),
    (lambda: nn.grad.conv2d_bias(np.ones(3)), "grad_output.shape=(3,)", "(N, C, *space)"),
    (lambda: nn.grad.pad_input((3,), np.ones(4), (1, 1)), "grad_output.shape=(4,)", "(5,)"),
    # layout
    (lambda: nn.pad(X, (1,)), "pad=(1,)", "pairs"),
    (lambda: nn.pad(X, (1,) * 10), "pad=(1, 1", "4 axes"),
    (lambda: nn.pad(X, (-4, -4)), "pad=(-4, -4)", "drops 8 of the 7 samples of axis 3"),
    (lambda: nn.pad(X, (-7, 1), "reflect"), "pad=(-7, 1)", "axis 3 has no samples"),
    (lambda: nn.pad(X, (1, 1), "mirror"), "mode='mirror'", "'reflect'"),
    (lambda: nn.pad(X, (1, 1), "reflect", 3), "value=3", "takes none"),
    (lambda: nn.pad(X, (1, 1), value=[1, 2]), "value=[1, 2]", "scalar"),
    (lambda: nn.pad(X, (1, 1), value="one"), "value='one'", "float64"),
    (lambda: nn.pad(X.astype(int), (1, 1), value=np.nan), "value=nan", "int64"),
    (lambda: nn.unfold(X, 9), "kernel=9", "floor((6 + 0 + 0 - 9) / 1) + 1 = -2 is below 1"),
    (lambda: nn.unfold(X, 0), "kernel_size=(0, 0)", "at least 1"),
    (lambda: nn.fold(np.ones((1, 8, 3)), (3, 3), 2), "input.shape=(1, 8, 3)", "2 x 2 = 4 columns"),
    (lambda: nn.fold(np.ones((1, 7, 4)), (3, 3), 2), "input.shape=(1, 7, 4)", "multiple of 4 rows"),
    (lambda: nn.pixel_shuffle(X, 3), "input.shape=(1, 4, 6, 7)", "multiple of 3**2"),
    (lambda: nn.pixel_shuffle(X, 0), "upscale_factor=0", ">= 1"),
    (lambda: nn.pixel_unshuffle(X, 2), "input.shape=(1, 4, 6, 7)", "multiples of 2"),
    (lambda: nn.channel_shuffle(X, 3), "groups=3", "must divide the 4 channels"),
    # plans, factors
    (lambda: nn.plan(X.shape, W)(X[..., :6]), "input.shape=(1, 4, 6, 6)", "(1, 4, 6, 7)"),
    (lambda: nn.plan(X.shape, W[0]), "input_shape=(1, 4, 6, 7)", "1 axes of space"),
    (lambda: nn.plan(X.shape, W[0, 0]), "weight.shape=(3, 3)", "1 to 3 axes of taps"),
    (
        lambda: nn.spatially_separable_conv2d(X, W, W),
        "vertical_weight.shape=(6, 4, 3, 3)",
        "axis 0 of space alone",
    ),
    (
        lambda: nn.depthwise_separable_conv2d(X, W, np.ones((6, 4, 1, 1))),
        "depthwise_weight.shape=(6, 4, 3, 3)",
        "must have 1 channel",
    ),
    (
        lambda: nn.depthwise_separable_conv2d(X, W[:4, :1], W),
        "pointwise_weight.shape=(6, 4, 3, 3)",
        "one tap",
    ),
]

WRONG_TYPE = [
    (lambda: conv(stride=1.5), "stride=1.5"),
    (lambda: conv(stride="2"), "stride='2'"),
    (lambda: conv(dilation=(1, None)), "dilation=None"),
    (lambda: conv(padding=1.0), "padding=1.0"),
    (lambda: conv(padding=((1, 2.5), 0)), "padding=2.5"),
    (lambda: conv(groups=None), "groups=None"),
    (lambda: conv(workers="all"), "workers"),
    (lambda: conv(out=[1.0]), "out"),
    (lambda: conv(out=np.ones((1, 6, 4, 5), "f4")), "out.dtype=float32"),
    (lambda: conv(np.array("text")), "input"),
    (lambda: conv(X.astype(object)), "input"),
    (lambda: conv(np.ones(X.shape, "M8[s]")), "input"),
    (lambda: nn.grad.conv2d_input(None, W, G), "input_size=None"),
    (lambda: nn.pad(X, (1, 1), value=1j), "value=1j"),
    (lambda: nn.pad(X, 1), "pad=1"),
    (lambda: nn.pad(X, (1.0, 2)), "pad=(1.0, 2)"),
    (lambda: nn.pixel_shuffle(X, 2.0), "upscale_factor=2.0"),
    (lambda: nn.plan(X.shape, W.astype("f4"))(X), "input.dtype=float64"),
]


@pytest.mark.parametrize(("call", "named", "allowed"), BAD, ids=[named for _, named, _ in BAD])
def test_bad_values(call, named, allowed):
    with pytest.raises(ValueError, match=re.escape(named)) as error:
        call()
    assert allowed in str(error.value)


@pytest.mark.parametrize(("call", "named"), WRONG_TYPE, ids=[named for _, named in WRONG_TYPE])
def test_wrong_types(call, named):
    with pytest.raises(TypeError, match=re.escape(named)):
        call()


@pytest.mark.skipif(np.dtype(np.longdouble).itemsize == 8, reason="longdouble is double here")
@pytest.mark.parametrize("dtype", [np.longdouble, np.clongdouble])
def test_dtypes_without_layers(dtype):
    with pytest.raises(TypeError, match=r"no layers for .*longdouble|no layers for .*128|256"):
        conv(X.astype(dtype))


def test_an_accepted_value_does_not_admit_an_equal_one_of_another_type():
    conv(stride=(2, 2))
    with pytest.raises(TypeError, match=r"stride=2\.0"):
        conv(stride=(2.0, 2))


def test_nothing_is_written_before_the_last_check():
    out = np.full(G.shape, 7.0)
    with pytest.raises(ValueError, match="method"):
        conv(method="none", out=out)
    with pytest.raises(ValueError, match="workers"):
        conv(workers=-7, out=out)
    assert (out == 7).all()


INTS = [np.int64(2), np.uint8(2), [2, 2], np.array([2, 2]), (2,), range(2, 4), True]


@pytest.mark.parametrize("value", INTS, ids=repr)
def test_whatever_is_an_index_is_an_int(value):
    numbers = tuple(map(int, np.atleast_1d(value)))
    plain = numbers * (2 // len(numbers))
    for name in ("stride", "dilation", "padding"):
        cases.assert_same(conv(**{name: value}), conv(**{name: plain}), name=name)


@pytest.mark.parametrize("name", ["stride", "padding", "dilation"])
def test_numbers_seen_before_are_looked_at_again(name):
    """1.0 equals 1, by which answers are found that were kept."""
    conv(**{name: (1, 1)})
    for value in ((1, 1.0), (1.0, 1), 1.0, [1, 1.0]):
        with pytest.raises(TypeError, match=name):
            conv(**{name: value})
    same = (np.int8(1), 1), [1, 1], [1], np.array([1, 1]), True, np.int64(1)
    for value in same:
        np.testing.assert_array_equal(conv(**{name: value}), conv(**{name: 1}))
