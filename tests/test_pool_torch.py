"""Pools and their gradients against PyTorch over its arguments; the number of cases is printed."""

import itertools
import math

import cases
import numpy as np
import pytest
from nn_cases import torch_on_one_thread
from pool_cases import RANKS

from pyconvc import nn
from pyconvc.nn import grad

SPACES = {1: (23,), 2: (11, 19), 3: (7, 6, 9)}
KERNELS = 1, 2, 3, 5, (2, 3, 4)
STRIDES = None, 1, 2, 4, (2, 1, 3)


@pytest.fixture(scope="module")
def torch():
    return torch_on_one_thread()


def windows(rank, paddings=(0, 1, 2)):
    """kernel_size, stride, padding, ceil_mode: what PyTorch takes."""
    forms = itertools.product(KERNELS, STRIDES, paddings, (False, True))
    for kernel, stride, padding, ceil_mode in forms:
        kernel, stride = (v[:rank] if isinstance(v, tuple) else v for v in (kernel, stride))
        if padding <= np.min(kernel) // 2:
            yield kernel, stride, padding, ceil_mode


def report(capsys, name, torch, count):
    with capsys.disabled():
        print(f"\n{name} equal PyTorch {torch.__version__} in {count} cases")
    assert count > 50


@pytest.mark.parametrize("rank", RANKS)
def test_averages(torch, rank, capsys):
    count = 0
    call = cases.of_rank(torch.nn.functional, "avg_pool", rank)
    ours = cases.of_rank(nn, "avg_pool", rank)
    back = cases.of_rank(grad, "avg_pool", rank, "_input")
    for dtype, include in itertools.product(("f4", "f8"), (True, False)):
        x = cases.random((2, 3, *SPACES[rank]), dtype)
        divisors = [(), (5,)] if rank > 1 else [()]
        for window, divisor in itertools.product(windows(rank), divisors):
            arguments = *window, include, *divisor
            want, g, wanted = cases.torch_gradients(call, [x], *arguments)
            cases.assert_same(ours(x, *arguments), want, arguments=arguments)
            cases.assert_same(ours(x[1], *arguments), want[1], arguments=arguments)
            cases.assert_same(back(x.shape, g, *arguments), wanted[0], arguments=arguments)
            count += 3
    report(capsys, f"avg_pool{rank}d and its gradient", torch, count)


@pytest.mark.parametrize("rank", RANKS)
def test_maxima(torch, rank, capsys):
    count = 0
    call = cases.of_rank(torch.nn.functional, "max_pool", rank)
    ours = cases.of_rank(nn, "max_pool", rank)
    back = cases.of_rank(grad, "max_pool", rank, "_input")
    for content, dilation in itertools.product(("normal", "ties", "nan"), (1, 2, 3)):
        x = contents(content, (2, 3, *SPACES[rank]))
        for kernel, stride, padding, ceil_mode in windows(rank):
            if np.any(np.add(SPACES[rank], 2 * padding) <= dilation * (np.array(kernel) - 1)):
                continue
            arguments = kernel, stride, padding, dilation, ceil_mode
            want, places = call(torch.tensor(x), *arguments, return_indices=True)
            y, index = ours(x, *arguments, return_indices=True)
            np.testing.assert_array_equal(y, want)
            np.testing.assert_array_equal(ours(x, *arguments), want)
            np.testing.assert_array_equal(index[index >= 0], places.numpy()[index >= 0])
            count += 3
            if content == "normal" and (index >= 0).all():
                _, g, wanted = cases.torch_gradients(call, [x], *arguments)
                cases.assert_same(back(x.shape, g, index), wanted[0], arguments=arguments)
                count += 1
    report(capsys, f"max_pool{rank}d, its indices and its gradient", torch, count)


def contents(content, shape):
    """Samples of float32: any, few different ones, some not a number."""
    x = cases.random(shape, "f4")
    if content == "ties":
        return np.round(x)
    if content == "nan":
        x[cases.random(shape, bool, 3) & cases.random(shape, bool, 4)] = np.nan
    return x


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "i4", "i8", "f2"])
def test_maxima_of_dtypes(torch, dtype):
    x = cases.random((2, 3, 9, 70), dtype)
    tensor = torch.tensor(x)
    want, places = torch.nn.functional.max_pool2d(tensor, 3, 2, 1, return_indices=True)
    y, index = nn.max_pool2d(x, 3, 2, 1, return_indices=True)
    cases.assert_same(y, want.numpy())
    cases.assert_same(index, places.numpy())


@pytest.mark.parametrize("rank", RANKS)
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # roots of negative numbers
def test_power_averages(torch, rank, capsys):
    count = 0
    call = cases.of_rank(torch.nn.functional, "lp_pool", rank)
    ours = cases.of_rank(nn, "lp_pool", rank)
    back = cases.of_rank(grad, "lp_pool", rank, "_input")
    for norm in (1, 2, 3, 0.5, math.inf, -math.inf):
        x = np.round(8 * cases.random((2, 2, *SPACES[rank]))) / 8  # sums of powers are exact
        x = abs(x) if norm == 0.5 else x
        x[0, 0, :4] = 0
        for kernel, stride, _, ceil_mode in windows(rank, (0,)):
            if rank == 1 and isinstance(kernel, tuple):
                continue  # PyTorch takes ints only
            arguments = norm, kernel, stride, ceil_mode
            want, g, wanted = cases.torch_gradients(call, [x], *arguments)
            cases.assert_same(ours(x, *arguments), want, arguments=arguments)
            cases.assert_same(back(x, g, *arguments), wanted[0], terms=10**4, arguments=arguments)
            count += 2
    report(capsys, f"lp_pool{rank}d and its gradient", torch, count)


@pytest.mark.parametrize("rank", RANKS)
def test_adaptive(torch, rank, capsys):
    count = 0
    functional = torch.nn.functional
    x = cases.random((2, 3, *SPACES[rank]))
    forms = [*range(1, 13), 25, *itertools.product((None, 1, 4), repeat=rank)]
    for size in forms if rank > 1 else range(1, 30):
        call = cases.of_rank(functional, "adaptive_avg_pool", rank)
        want, g, wanted = cases.torch_gradients(call, [x], size)
        cases.assert_same(cases.of_rank(nn, "adaptive_avg_pool", rank)(x, size), want, size=size)
        got = cases.of_rank(grad, "adaptive_avg_pool", rank, "_input")(x.shape, g)
        cases.assert_same(got, wanted[0], size=size)
        call = cases.of_rank(functional, "adaptive_max_pool", rank)
        want, places = call(torch.tensor(x), size, return_indices=True)
        y, index = cases.of_rank(nn, "adaptive_max_pool", rank)(x, size, return_indices=True)
        np.testing.assert_array_equal(y, want)
        np.testing.assert_array_equal(index, places)
        count += 4
    report(capsys, f"adaptive pools of rank {rank}", torch, count)


@pytest.mark.parametrize("rank", RANKS)
def test_unpool(torch, rank):
    x = cases.random((2, 3, *SPACES[rank]))
    y, index = cases.of_rank(nn, "max_pool", rank)(x, 2, return_indices=True)
    call = cases.of_rank(torch.nn.functional, "max_unpool", rank)
    places = torch.tensor(index)
    for size in (SPACES[rank], list(SPACES[rank]), x.shape):
        want, g, wanted = cases.torch_gradients(call, [y], places, 2, output_size=size)
        got = cases.of_rank(nn, "max_unpool", rank)(y, index, 2, output_size=size)
        cases.assert_same(got, want, size=size)
        picked = cases.of_rank(grad, "max_unpool", rank, "_input")(g, index)
        cases.assert_same(picked, wanted[0], size=size)
