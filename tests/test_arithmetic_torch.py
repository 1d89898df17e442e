"""Sizes against the shapes PyTorch gives, where it is installed."""

import itertools

import pytest
from arithmetic_cases import outcome

from pyconvc.arithmetic import (
    adaptive_windows,
    conv_output_size,
    conv_transpose_output_size,
    pool_output_size,
    transpose_sizes,
    unfold_blocks,
    unpool_output_size,
)


def shape_or_refused(function, *arguments, **named):
    """The last axis of a shape, or "refused"."""
    try:
        return tuple(function(*arguments, **named).shape)[2:]
    except (RuntimeError, ValueError):
        return "refused"


def test_conv_sizes_against_torch():
    torch = pytest.importorskip("torch")
    functional, agreed = torch.nn.functional, 0
    for i, k, s, p, d in itertools.product(range(1, 8), (1, 2, 3), (1, 2, 3), (0, 1, 2), (1, 2)):
        torchs = shape_or_refused(
            functional.conv1d, torch.zeros(1, 1, i), torch.zeros(1, 1, k), None, s, p, d
        )
        assert torchs == outcome(conv_output_size, (i,), k, s, p, d), (i, k, s, p, d)
        agreed += torchs != "refused"
    assert agreed > 250


def test_transposed_sizes_against_torch():
    torch = pytest.importorskip("torch")
    functional, agreed = torch.nn.functional, 0
    grid = itertools.product((1, 2, 5), (1, 2, 3), (1, 2, 3), (0, 1, 2), (0, 1, 2, 3), (1, 2, 3))
    for i, k, s, p, a, d in grid:
        x, w = torch.zeros(1, 1, i, i), torch.zeros(1, 1, k, k)
        torchs = shape_or_refused(functional.conv_transpose2d, x, w, None, s, p, a, 1, d)
        assert torchs == outcome(conv_transpose_output_size, (i, i), k, s, p, a, d)
        agreed += torchs != "refused"
    assert agreed > 400


@pytest.mark.parametrize("ceil_mode", [False, True])
def test_pool_sizes_against_torch(ceil_mode):
    torch = pytest.importorskip("torch")
    functional, agreed = torch.nn.functional, 0
    for i, k, s, p, d in itertools.product(range(1, 9), range(1, 5), range(1, 5), range(3), (1, 2)):
        x = torch.zeros(1, 1, i, i)
        torchs = shape_or_refused(functional.max_pool2d, x, k, s, p, d, ceil_mode)
        ours = outcome(pool_output_size, (i, i), k, s, p, d, ceil_mode)
        # PyTorch holds a dilated pool to half the *undilated* kernel; we to half of what it spans.
        if torchs == "refused" and d > 1 and p > k // 2:
            continue
        assert torchs == ours, (i, k, s, p, d)
        agreed += torchs != "refused"
    assert agreed > 300


def test_unfold_unpool_and_adaptive_against_torch():
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    for i, k, s, p, d in itertools.product((4, 5, 8), (1, 2, 3), (1, 2), (0, 1), (1, 2)):
        x = torch.zeros(1, 2, i, i)
        blocks = functional.unfold(x, k, d, p, s).shape[-1] if i + 2 * p > d * (k - 1) else 0
        assert blocks == (outcome(unfold_blocks, (i, i), k, s, p, d) if blocks else 0)
        index = torch.zeros(1, 2, i, i, dtype=torch.long)
        if 2 * p <= k:
            unpooled = functional.max_unpool2d(x, index, k, s, p).shape[2:]
            assert tuple(unpooled) == unpool_output_size((i, i), k, s, p)
    for i, o in itertools.product(range(1, 9), range(1, 12)):
        x = torch.arange(i, dtype=torch.float64)
        pooled = functional.adaptive_avg_pool1d(x[None], o)[0]
        means = [x[start:end].mean().item() for start, end in adaptive_windows(i, o)]
        assert pooled.tolist() == pytest.approx(means)


def test_output_padding_against_torchs_output_size():
    torch = pytest.importorskip("torch")
    for i, k, s, p, d in itertools.product((1, 4), (2, 3), (1, 2, 3), (0, 1), (1, 2)):
        layer = torch.nn.ConvTranspose1d(1, 1, k, s, p, dilation=d)
        for candidate in transpose_sizes(i, k, s, p, d):
            if candidate.output_padding < s:
                y = layer(torch.zeros(1, 1, i), output_size=(candidate.size,))
                assert y.shape[-1] == candidate.size
