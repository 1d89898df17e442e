# SPDX-License-Identifier: BSD-3-Clause
"""Layers of many groups on small planes, which are packed whole: sizes around vectors and tiles."""

import cases
import numpy as np
import pytest

from pyconvc import nn
from pyconvc.reference import nn as reference

KERNELS = [(3, 3), (5, 5), (7, 7), (2, 9), (1, 4)]
STEPS = [{}, {"stride": 2}, {"stride": (3, 1)}, {"dilation": 2}, {"stride": 2, "dilation": 3}]


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sizes(kernel, steps, dtype):
    for size in (1, 2, 7, 8, 9, 14, 17, 33):
        options = {"padding": [k * 2 // 2 for k in kernel], "groups": 9, **steps}
        x, w = cases.random((2, 9, size + 1, size), dtype), cases.random((9, 1, *kernel), dtype, 1)
        if any(s + 2 * k < 3 * (k - 1) + 1 for s, k in zip(x.shape[2:], kernel, strict=True)):
            continue
        y = nn.conv2d(x, w, **options)
        cases.assert_same(y, reference.conv2d(x, w, **options), terms=w[0].size)
        got, want = (m.grad.conv2d_weight(x, w.shape, y, **options) for m in (nn, reference))
        cases.assert_same(got, want, terms=x[:, 0].size, scale=np.abs(want).max())


@pytest.mark.parametrize("width", [3, 7, 8, 13])
def test_nothing_is_written_beyond_the_planes(width):
    x, w = cases.random((1, 8, 9, width), "float32"), cases.random((8, 1, 3, 3), "float32", 1)
    memory = np.full(x.size + 16, 7, np.float32)
    out = memory[: x.size].reshape(x.shape)
    nn.conv2d(x, w, padding=1, groups=8, out=out)
    assert (memory[x.size :] == 7).all()


@pytest.mark.parametrize("width", [5, 14, 20])
def test_infinity_stays_with_its_taps(width):
    x, y = (cases.random((1, 8, 9, width), "float32", seed) for seed in range(2))
    x[0, 3, 4, width - 2] = y[0, 5, 2, 1] = np.inf
    got = nn.grad.conv2d_weight(x, (8, 1, 3, 3), y, padding=1, groups=8)
    want = reference.grad.conv2d_weight(x, (8, 1, 3, 3), y, padding=1, groups=8)
    assert np.array_equal(np.isnan(got), np.isnan(want))
    assert np.array_equal(np.isinf(got), np.isinf(want))
