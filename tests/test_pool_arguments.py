"""Bad arguments of pools: each error names the argument, its value and what is allowed."""

import re

import cases
import numpy as np
import pytest

from pyconvc import nn
from pyconvc.nn import grad

X = np.ones((1, 4, 6, 7))
Y = np.ones((1, 4, 3, 3))
I = np.zeros((1, 4, 3, 3), int)  # noqa: E741
BUFFER = np.ones(1000)

BAD = [
    (lambda: nn.avg_pool2d(np.ones(4), 2), "input.shape=(4,)", "(N, C, *space) or (C, *space)"),
    (lambda: nn.max_pool1d(X, 2), "input.shape=(1, 4, 6, 7)", "1 axes of space"),
    (lambda: nn.avg_pool2d(X, 0), "kernel_size=0", ">= 1"),
    (lambda: nn.avg_pool2d(X, (2, 2, 2)), "kernel_size=(2, 2, 2)", "2 axes"),
    (lambda: nn.max_pool2d(X, 2, 0), "stride=0", ">= 1"),
    (lambda: nn.max_pool2d(X, 2, (1, -1)), "stride=-1", ">= 1"),
    (lambda: nn.max_pool2d(X, 2, padding=-1), "padding=-1", ">= 0"),
    (lambda: nn.max_pool2d(X, 2, padding=2), "padding=(2, 2)", "half of kernel_size=(2, 2)"),
    (lambda: nn.max_pool2d(X, 2, padding=2, dilation=3), "padding=(2, 2)", "half of kernel_size"),
    (lambda: nn.avg_pool2d(X, 3, padding=(1, 2)), "padding=(1, 2)", "half of kernel_size=(3, 3)"),
    (lambda: nn.max_pool2d(X, 2, dilation=0), "dilation=0", ">= 1"),
    (lambda: nn.max_pool2d(X, 2, 2**63), "stride=(9223372036854775808,", "at most"),
    (lambda: nn.max_pool2d(X, 1, dilation=2**63), "dilation=(9223372036854775808,", "at most"),
    (lambda: nn.max_pool2d(X, 2**63, 1, 2**62), "kernel_size=(9223372036854775808,", "at most"),
    (lambda: nn.max_pool2d(X, 7), "kernel=7", "(6 + 0 + 0 - 7)"),
    (lambda: nn.max_pool2d(X, 3, dilation=3), "kernel=3", "(6 + 0 + 0 - 7)"),
    (lambda: nn.avg_pool2d(np.ones((1, 4, 0, 7)), 2), "input=0", ">= 1"),
    (lambda: nn.avg_pool2d(X, 2, divisor_override=0), "divisor_override=0", "other than 0"),
    (lambda: nn.avg_pool2d(X, 2, divisor_override=2**63), "divisor_override=9223", "64 bits"),
    (
        lambda: nn.avg_pool2d(X.astype("u1"), 2, divisor_override=-3),
        "divisor_override=-3",
        "positive for dtype uint8",
    ),
    (lambda: nn.lp_pool2d(X, 0, 2), "norm_type=0", "other than 0"),
    (lambda: nn.lp_pool2d(X, np.nan, 2), "norm_type=nan", "other than 0"),
    (lambda: nn.lp_pool2d(X, 10**400, 2), "norm_type=1000", "range of floats"),
    (lambda: nn.adaptive_avg_pool2d(X, -1), "output_size=-1", ">= 0"),
    (lambda: nn.adaptive_max_pool2d(X, (1, 2, 3)), "output_size=(1, 2, 3)", "2 axes"),
    (lambda: nn.adaptive_max_pool2d(X, "1"), "output_size='1'", "2 axes"),
    (lambda: nn.adaptive_avg_pool2d(X[:, :, :0], 2), "input.shape=(0, 7)", "must have samples"),
    (lambda: nn.max_pool2d(X, 2, workers=0), "workers", "positive"),
    (lambda: nn.max_unpool2d(Y, I[..., :2], 2), "indices.shape=(1, 4, 3, 2)", "(1, 4, 3, 3)"),
    (lambda: nn.max_unpool2d(Y, I[0], 2), "indices.shape=(4, 3, 3)", "(N, C, *space)"),
    (lambda: nn.max_unpool2d(Y, I + 36, 2), "indices", "less than 36, but reach from 36 to 36"),
    (lambda: nn.max_unpool2d(Y, I - 1, 2), "indices", "at least 0 and less than 36"),
    (lambda: nn.max_unpool2d(Y, I, 2, output_size=(8, 6)), "output_size=(8, 6)", "(6, 6) by less"),
    (lambda: nn.max_unpool2d(Y, I, 2, output_size=(6,)), "output_size=(6,)", "2 axes"),
    # out
    (
        lambda: nn.max_pool2d(X, 2, out=np.ones((1, 4, 3, 4))),
        "out.shape=(1, 4, 3, 4)",
        "(1, 4, 3, 3)",
    ),
    (
        lambda: nn.max_pool2d(
            BUFFER[:168].reshape(X.shape), 2, out=BUFFER[160:196].reshape(Y.shape)
        ),
        "out",
        "overlap input",
    ),
    (
        lambda: nn.max_pool2d(X.astype(int), 2, return_indices=True, out=(I, I)),
        "out",
        "two arrays must not overlap",
    ),
    # gradients
    (
        lambda: grad.avg_pool2d_input(X.shape, Y[..., :2], 2),
        "grad_output.shape=(1, 4, 3, 2)",
        "(1, 4, 3, 3)",
    ),
    (
        lambda: grad.avg_pool2d_input(X.shape, Y[0], 2),
        "grad_output.shape=(4, 3, 3)",
        "(N, C, *space)",
    ),
    (lambda: grad.avg_pool2d_input((4, 6), Y, 2), "input_size=(4, 6)", "(N, C, *space)"),
    (
        lambda: grad.max_pool2d_input(X.shape, Y, I[..., :2]),
        "indices.shape=(1, 4, 3, 2)",
        "(1, 4, 3, 3)",
    ),
    (lambda: grad.max_pool2d_input(X.shape, Y, I + 42), "indices", "less than 42"),
    (lambda: grad.max_pool2d_input(X.shape, Y, I - 2), "indices", "at least -1"),
    (lambda: grad.max_pool2d_input((1, 3, 6, 7), Y, I), "grad_output.shape=(1, 4)", "(1, 3)"),
    (lambda: grad.max_pool2d_input(X.shape, Y[0], I), "grad_output", "(N, C, *space)"),
    (
        lambda: grad.adaptive_avg_pool2d_input(X.shape, Y[0]),
        "grad_output.shape=(4, 3, 3)",
        "(N, C, *space)",
    ),
    (lambda: grad.lp_pool2d_input(X, Y[0], 2, 2), "grad_output.shape=(4, 3, 3)", "(N, C, *space)"),
    (lambda: grad.max_unpool2d_input(X, I + 42), "indices", "less than 42"),
    (lambda: grad.max_unpool2d_input(X, I[0]), "indices", "(N, C, *space)"),
]

WRONG_TYPE = [
    (lambda: nn.avg_pool2d(X, 2.0), "kernel_size=2.0"),
    (lambda: nn.avg_pool2d(X, None), "kernel_size=None"),
    (lambda: nn.max_pool2d(X, 2, "2"), "stride='2'"),
    (lambda: nn.max_pool2d(X, 2, padding=0.5), "padding=0.5"),
    (lambda: nn.max_pool2d(X, 2, dilation=(1, None)), "dilation=None"),
    (lambda: nn.avg_pool2d(X, 2, divisor_override=2.5), "divisor_override=2.5"),
    (lambda: nn.lp_pool2d(X, "2", 2), "norm_type='2'"),
    (lambda: nn.lp_pool2d(X, 1j, 2), "norm_type=1j"),
    (lambda: nn.adaptive_avg_pool2d(X, 1.5), "output_size=1.5"),
    (lambda: nn.avg_pool2d(X > 0, 2), "averages of bool"),
    (lambda: nn.max_pool2d(X + 1j, 2), "complex numbers have no maximum"),
    (lambda: nn.max_pool2d(X.astype(object), 2), "object"),
    (lambda: nn.max_pool2d(np.array([[["a"]]]), 2), "<U1"),
    (lambda: nn.max_pool2d(X, 2, workers="all"), "workers"),
    (lambda: nn.max_pool2d(X, 2, out=[1.0]), "out"),
    (lambda: nn.max_pool2d(X, 2, out=np.ones(Y.shape, "f4")), "out.dtype=float32"),
    (lambda: nn.max_pool2d(X, 2, return_indices=True, out=Y), "pair of arrays"),
    (lambda: nn.max_pool2d(X, 2, return_indices=True, out=(Y, Y.copy())), "out.dtype=float64"),
    (lambda: nn.max_unpool2d(Y, Y, 2), "indices: must be integers, not float64"),
    (lambda: grad.max_pool2d_input(X.shape, Y, Y), "indices: must be integers"),
    (lambda: grad.avg_pool2d_input(X.shape, I, 2), "gradients of averages have fractions"),
    (lambda: grad.avg_pool2d_input(None, Y, 2), "input_size=None"),
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


def test_nothing_is_written_before_the_last_check():
    out = np.full(Y.shape, 7.0)
    with pytest.raises(ValueError, match="workers"):
        nn.max_pool2d(X, 2, workers=-7, out=out)
    with pytest.raises(ValueError, match="indices"):
        nn.max_unpool2d(Y, I + 99, 1, out=out)
    assert (out == 7).all()


@pytest.mark.parametrize("two", [np.int64(2), np.uint8(2), [2, 2], np.array([2, 2]), (2,)])
def test_ints_in_every_form(two):
    want = nn.max_pool2d(X, 2, 2, 1, 2)
    one = np.array(two) // 2 if isinstance(two, np.ndarray) else 1
    np.testing.assert_array_equal(nn.max_pool2d(X, two, two, one, two), want)
    np.testing.assert_array_equal(nn.max_pool2d(X, two, (), 1, two), want)


def test_arguments_by_name_are_those_of_pytorch():
    x = cases.random((1, 2, 8, 8))
    got = nn.avg_pool2d(
        input=x,
        kernel_size=3,
        stride=2,
        padding=1,
        ceil_mode=True,
        count_include_pad=False,
        divisor_override=None,
    )
    assert got.shape == (1, 2, 5, 5)
    y, index = nn.max_pool2d(
        input=x,
        kernel_size=2,
        stride=2,
        padding=0,
        dilation=1,
        ceil_mode=False,
        return_indices=True,
    )
    back = nn.max_unpool2d(
        input=y, indices=index, kernel_size=2, stride=2, padding=0, output_size=x.shape
    )
    assert back.shape == x.shape
    assert (
        nn.lp_pool2d(input=x, norm_type=2, kernel_size=2, stride=2, ceil_mode=False).shape
        == y.shape
    )
    assert nn.adaptive_max_pool2d(input=x, output_size=4, return_indices=True)[0].shape == y.shape
    assert nn.adaptive_avg_pool2d(input=x, output_size=(4, None)).shape == (1, 2, 4, 8)


@pytest.mark.parametrize("shape", [(2**61,), (2**20, 2**20, 2**21)])
def test_planes_larger_than_any_memory(shape):
    """Those of one sample everywhere: sizes that would overflow are refused."""
    x = np.broadcast_to(np.uint8(1), (1, *shape))
    pool = getattr(nn, f"avg_pool{len(shape)}d")
    with pytest.raises(MemoryError):
        pool(x, 2, tuple(n // 3 for n in shape))
