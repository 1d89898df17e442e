# SPDX-License-Identifier: BSD-3-Clause
"""Layers of neural networks on NumPy arrays, with torch.nn.functional's names and meanings.

Arrays are (N, C, *space), or (C, *space) for a single sample.
"""

from . import grad
from ._methods import choose
from ._plan import Plan, plan
from .conv import conv1d, conv2d, conv3d
from .factored import (
    depthwise_separable_conv1d,
    depthwise_separable_conv2d,
    depthwise_separable_conv3d,
    flattened_conv3d,
    spatially_separable_conv2d,
)
from .layout import channel_shuffle, fold, pad, pixel_shuffle, pixel_unshuffle, unfold
from .pooling import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    adaptive_max_pool1d,
    adaptive_max_pool2d,
    adaptive_max_pool3d,
    avg_pool1d,
    avg_pool2d,
    avg_pool3d,
    lp_pool1d,
    lp_pool2d,
    lp_pool3d,
    max_pool1d,
    max_pool2d,
    max_pool3d,
    max_unpool1d,
    max_unpool2d,
    max_unpool3d,
)
from .transposed import conv_transpose1d, conv_transpose2d, conv_transpose3d

__all__ = [
    "Plan",
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "channel_shuffle",
    "choose",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "depthwise_separable_conv1d",
    "depthwise_separable_conv2d",
    "depthwise_separable_conv3d",
    "flattened_conv3d",
    "fold",
    "grad",
    "lp_pool1d",
    "lp_pool2d",
    "lp_pool3d",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "max_unpool1d",
    "max_unpool2d",
    "max_unpool3d",
    "pad",
    "pixel_shuffle",
    "pixel_unshuffle",
    "plan",
    "spatially_separable_conv2d",
    "unfold",
]
