"""The twins of pools against PyTorch where it is installed, and hand-written numbers."""

import doctest
import itertools

import cases
import numpy as np
import pytest

from pyconvc.reference import nn
from pyconvc.reference.nn import _pooling, grad

RANKS = [1, 2, 3]
SPACES = {1: (9,), 2: (7, 6), 3: (4, 5, 4)}


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch", reason="PyTorch is the authority here")


def test_examples_in_docstrings():
    failed, tried = doctest.testmod(_pooling)
    assert tried > 0
    assert failed == 0


@pytest.mark.parametrize(
    ("ceil_mode", "count_include_pad", "divisor_override", "expected"),
    [
        # windows of three at -1, 1, 3 of the input padded by one, and at 5, which hangs over
        (False, True, None, [9 / 3, 27 / 3, 45 / 3]),
        (False, False, None, [9 / 2, 27 / 3, 45 / 3]),
        (True, True, None, [9 / 3, 27 / 3, 45 / 3, 18 / 2]),
        (True, False, None, [9 / 2, 27 / 3, 45 / 3, 18 / 1]),
        (False, True, 9, [1, 3, 5]),
        (True, False, 9, [1, 3, 5, 2]),
    ],
)
def test_averages_by_hand(ceil_mode, count_include_pad, divisor_override, expected):
    y = nn.avg_pool1d(
        [[3.0, 6, 9, 12, 15, 18]], 3, 2, 1, ceil_mode, count_include_pad, divisor_override
    )
    assert y.tolist() == [expected]


def test_no_window_starts_in_the_padding():
    assert nn.avg_pool1d(np.ones((1, 2)), 2, 3, 1, True).tolist() == [[0.5]]
    assert nn.max_pool1d([[1, 5, 2]], 2, 2, 0, ceil_mode=True).tolist() == [[5, 2]]


def test_average_of_integers_is_truncated():
    assert nn.avg_pool1d([[-3, -4, 200, 200]], 2).tolist() == [[-3, 200]]
    small = nn.avg_pool1d(np.full((1, 4), 200, np.uint8), 4)
    cases.assert_same(small, np.array([[200]], np.uint8))
    with pytest.raises(TypeError, match="bool"):
        nn.avg_pool1d(np.ones((1, 2), bool), 2)


def test_maximum_by_hand():
    y, indices = nn.max_pool2d(np.array([[[1, 9, 3], [9, 5, 6]]]), 2, 1, return_indices=True)
    assert y.tolist() == [[[9, 9]]]
    assert indices.tolist() == [[[1, 1]]]
    nan = np.nan
    y, indices = nn.max_pool1d([[1, nan, 3, nan, 2]], 5, return_indices=True)
    assert np.isnan(y).all()
    assert indices.tolist() == [[3]]
    y, indices = nn.max_pool1d([[-np.inf] * 2], 2, return_indices=True)
    assert (y.tolist(), indices.tolist()) == ([[-np.inf]], [[0]])
    empty, indices = nn.max_pool1d(np.ones((1, 3)), 2, 1, 1, 4, return_indices=True)
    assert (empty.tolist(), indices.tolist()) == ([[-np.inf]], [[-1]])
    assert nn.max_pool1d(np.array([[False, True, False, False]]), 2).tolist() == [[True, False]]
    with pytest.raises(TypeError, match="complex"):
        nn.max_pool1d(np.ones((1, 2), complex), 2)


WINDOWS = [
    (kernel, stride, padding, ceil_mode)
    for kernel, stride, padding, ceil_mode in itertools.product(
        (1, 2, 3, 4), (None, 1, 3, 5), (0, 1, 2), (False, True)
    )
    if padding <= kernel // 2
]


@pytest.mark.parametrize("rank", RANKS)
@pytest.mark.parametrize("include", [True, False])
def test_average(torch, rank, include):
    x = cases.random((2, 2, *SPACES[rank]))
    extra = [(), (5,)] if rank > 1 else [()]
    for window, divisor in itertools.product(WINDOWS, extra):
        call = cases.of_rank(torch.nn.functional, "avg_pool", rank)
        want, g, back = cases.torch_gradients(call, [x], *window, include, *divisor)
        cases.assert_same(cases.of_rank(nn, "avg_pool", rank)(x, *window, include, *divisor), want)
        got = cases.of_rank(grad, "avg_pool", rank, "_input")(
            x.shape, g, *window, include, *divisor
        )
        cases.assert_same(got, back[0], window=window, divisor=divisor)


@pytest.mark.parametrize("rank", RANKS)
@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("content", ["normal", "ties", "nan"])
def test_maximum(torch, rank, dilation, content):
    x = cases.random((2, 2, *SPACES[rank]))
    if content == "ties":
        x = np.round(x)
    if content == "nan":
        x[cases.random(x.shape, bool, 3) & cases.random(x.shape, bool, 4)] = np.nan
    for kernel, stride, padding, ceil_mode in WINDOWS:
        if min(SPACES[rank]) + 2 * padding < dilation * (kernel - 1) + 1:
            continue
        arguments = kernel, stride, padding, dilation, ceil_mode
        call = cases.of_rank(torch.nn.functional, "max_pool", rank)
        values, want = call(torch.tensor(x), *arguments, return_indices=True)
        y, indices = cases.of_rank(nn, "max_pool", rank)(x, *arguments, return_indices=True)
        cases.assert_same(y, values.numpy(), arguments=arguments)
        cases.assert_same(
            np.where(indices < 0, want.numpy(), indices), want.numpy(), arguments=arguments
        )
        if content == "normal" and (indices >= 0).all():
            _, g, back = cases.torch_gradients(call, [x], *arguments)
            got = cases.of_rank(grad, "max_pool", rank, "_input")(x.shape, g, indices)
            cases.assert_same(got, back[0], arguments=arguments)


def test_maximum_of_integers(torch):
    x = cases.random((2, 2, 6, 5), np.uint8)
    want = torch.nn.functional.max_pool2d(torch.tensor(x), 3, 1, 1).numpy()
    cases.assert_same(nn.max_pool2d(x, 3, 1, 1), want)


@pytest.mark.parametrize("rank", RANKS)
@pytest.mark.parametrize("p", [1, 2, 3, 0.5, float("inf"), -float("inf")])
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # roots of negative numbers
def test_power_average(torch, rank, p):
    x = np.round(8 * cases.random((2, 2, *SPACES[rank]))) / 8  # sums of powers are exact
    x = abs(x) if p == 0.5 else x
    x[0, 0, :4] = 0
    for kernel, stride, padding, ceil_mode in WINDOWS:
        if padding == 0:
            arguments = p, kernel, stride, ceil_mode
            call = cases.of_rank(torch.nn.functional, "lp_pool", rank)
            want, g, back = cases.torch_gradients(call, [x], *arguments)
            cases.assert_same(
                cases.of_rank(nn, "lp_pool", rank)(x, *arguments), want, arguments=arguments
            )
            got = cases.of_rank(grad, "lp_pool", rank, "_input")(x, g, *arguments)
            cases.assert_same(got, back[0], terms=10**4, arguments=arguments)


def test_power_average_that_hangs_over():
    y = nn.lp_pool1d([[3.0, 4, 12, 5, 6]], 2, 2, ceil_mode=True)
    np.testing.assert_allclose(y, [[5, 13, 6 * np.sqrt(2)]], rtol=1e-15)
    cases.assert_same(nn.lp_pool1d([[3, 4]], 2, 2), np.array([[5.0]]))


@pytest.mark.parametrize("rank", RANKS)
def test_adaptive(torch, rank):
    x = cases.random((2, 2, *SPACES[rank]))
    functional = torch.nn.functional
    for size in (1, 2, 3, 5, 12, [None, 3, 4][-rank:]):
        if rank == 1 and not isinstance(size, int):
            continue
        call = cases.of_rank(functional, "adaptive_avg_pool", rank)
        want, g, back = cases.torch_gradients(call, [x], size)
        cases.assert_same(cases.of_rank(nn, "adaptive_avg_pool", rank)(x, size), want, size=size)
        got = cases.of_rank(grad, "adaptive_avg_pool", rank, "_input")(x.shape, g)
        cases.assert_same(got, back[0], size=size)
        call = cases.of_rank(functional, "adaptive_max_pool", rank)
        values, chosen = call(torch.tensor(x), size, return_indices=True)
        y, indices = cases.of_rank(nn, "adaptive_max_pool", rank)(x, size, return_indices=True)
        cases.assert_same(y, values.numpy(), size=size)
        cases.assert_same(indices, chosen.numpy(), size=size)


@pytest.mark.parametrize("rank", RANKS)
def test_unpool(torch, rank):
    x = cases.random((2, 2, *SPACES[rank]))
    y, indices = cases.of_rank(nn, "max_pool", rank)(x, 2, return_indices=True)
    for size in (None, SPACES[rank], x.shape):
        call = cases.of_rank(torch.nn.functional, "max_unpool", rank)
        places = torch.tensor(indices)
        if size is None:
            places = places % 6  # PyTorch rejects indices outside the smaller default
        want, g, back = cases.torch_gradients(call, [y], places, 2, output_size=size)
        got = cases.of_rank(nn, "max_unpool", rank)(y, places.numpy(), 2, output_size=size)
        if size is not None:
            cases.assert_same(got, want, size=size)
        picked = cases.of_rank(grad, "max_unpool", rank, "_input")(g, places.numpy())
        cases.assert_same(picked, back[0], size=size)
    with pytest.raises(ValueError, match="output_size"):
        cases.of_rank(nn, "max_unpool", rank)(y, indices, 2, output_size=(99,) * rank)


def test_pool_padding_is_limited():
    with pytest.raises(ValueError, match="half of kernel_size=3"):
        nn.max_pool1d(np.ones((1, 9)), 3, 1, 2)
    with pytest.raises(ValueError, match="kernel_size=5"):
        nn.avg_pool1d(np.ones((1, 3)), 5)
