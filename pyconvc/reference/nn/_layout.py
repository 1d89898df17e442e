# SPDX-License-Identifier: BSD-3-Clause
"""Operations that only move samples: pad, unfold and fold, shuffles."""

import math

import numpy as np

from .._boundary import boundary_index, extend
from .._problem import Problem

PAD_BOUNDARY_OF = {
    "constant": "constant",
    "reflect": "reflect",
    "replicate": "replicate",
    "circular": "circular",
}


def pad(input, pad, mode="constant", value=None):
    """Extend the last axes, as torch.nn.functional does.

    `pad` is ``(before, after)`` of the last axis, then of the last but one, and so on. Negative
    numbers drop samples before anything is added. Extensions longer than the axis turn again.

    Examples
    --------
    >>> pad([1, 2, 3], (1, 2), "circular")
    array([3, 1, 2, 3, 1, 2])
    """
    x = np.asarray(input)
    for axis, (before, after) in pads_by_axis(pad, x.ndim):
        dropped = boundary_index(x.shape[axis], min(before, 0), min(after, 0), "constant")
        x = x.take(dropped, axis)
        boundary = PAD_BOUNDARY_OF[mode]
        index = boundary_index(x.shape[axis], max(before, 0), max(after, 0), boundary)
        x = extend(x, axis, index, 0 if value is None else value)
    return x


def pads_by_axis(pad, ndim):
    """(axis, (before, after)) of every axis that a flat list of pads names."""
    for i in range(len(pad) // 2):
        yield ndim - 1 - i, (pad[2 * i], pad[2 * i + 1])


def unfold(input, kernel_size, dilation=1, padding=0, stride=1):
    """Every window as a column: (N, C, *space) to (N, C*taps, windows).

    As torch.nn.functional.unfold for two axes; a `kernel_size` of another length sets the rank.

    Examples
    --------
    >>> unfold([[1, 2, 3]], (2,))
    array([[1, 2],
           [2, 3]])
    """
    x = np.asarray(input)
    kernel = _kernel(kernel_size)
    if x.ndim == len(kernel) + 1:
        return unfold(x[None], kernel, dilation, padding, stride)[0]
    p = Problem(x.shape, (1, x.shape[1], *kernel), stride, dilation, padding)
    extended = p.extend(x, 0)
    columns = [extended[(..., *p.seen_by(tap))] for tap in p.taps()]
    windows = math.prod(p.out)
    return np.stack(columns, 2).reshape(p.n, p.c * math.prod(kernel), windows)


def fold(input, output_size, kernel_size, dilation=1, padding=0, stride=1):
    """Transpose of `unfold`: sums every column back into (N, C, *output_size).

    Examples
    --------
    >>> fold([[1, 2], [2, 3]], (3,), (2,))
    array([[1, 4, 3]])
    """
    columns = np.asarray(input)
    kernel = _kernel(kernel_size)
    space = (output_size,) * len(kernel) if np.ndim(output_size) == 0 else tuple(output_size)
    if columns.ndim == 2:
        return fold(columns[None], space, kernel, dilation, padding, stride)[0]
    channels = columns.shape[1] // math.prod(kernel)
    shape = (columns.shape[0], channels, *space)
    p = Problem(shape, (1, channels, *kernel), stride, dilation, padding)
    columns = columns.reshape(*shape[:2], *kernel, *p.out)
    extended = np.zeros((*shape[:2], *p.extended), columns.dtype.newbyteorder("="))
    for tap in p.taps():
        extended[(..., *p.seen_by(tap))] += columns[(slice(None), slice(None), *tap)]
    return p.fold_back(extended)


def pixel_shuffle(input, upscale_factor):
    """Channels to space: (*, C*r*r, H, W) to (*, C, H*r, W*r).

    Examples
    --------
    >>> pixel_shuffle([[[1]], [[2]], [[3]], [[4]]], 2)
    array([[[1, 2],
            [3, 4]]])
    """
    x, r = np.asarray(input), upscale_factor
    *lead, channels, height, width = x.shape
    x = x.reshape(*lead, channels // r**2, r, r, height, width)
    x = np.moveaxis(x, (-4, -3), (-3, -1))
    return x.reshape(*lead, channels // r**2, height * r, width * r)


def pixel_unshuffle(input, downscale_factor):
    """Inverse of `pixel_shuffle`.

    Examples
    --------
    >>> pixel_unshuffle([[[1, 2], [3, 4]]], 2).ravel()
    array([1, 2, 3, 4])
    """
    x, r = np.asarray(input), downscale_factor
    *lead, channels, height, width = x.shape
    x = x.reshape(*lead, channels, height // r, r, width // r, r)
    x = np.moveaxis(x, (-3, -1), (-4, -3))
    return x.reshape(*lead, channels * r**2, height // r, width // r)


def channel_shuffle(input, groups):
    """Transpose channels seen as (groups, channels of a group).

    Examples
    --------
    >>> channel_shuffle(np.arange(6).reshape(1, 6, 1), 2).ravel()
    array([0, 3, 1, 4, 2, 5])
    """
    x = np.asarray(input)
    return x.reshape(x.shape[0], groups, -1, *x.shape[2:]).swapaxes(1, 2).reshape(x.shape)


def _kernel(kernel_size):
    return (kernel_size,) * 2 if np.ndim(kernel_size) == 0 else tuple(kernel_size)
