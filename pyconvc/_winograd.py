# SPDX-License-Identifier: BSD-3-Clause
"""Winograd's method in plain numbers: what it takes, and how long.

Along an axis a tile of M outputs of R taps takes M + R - 1 products in place of M R. That is done
along the last axes; more taps are parts of R, summed as channels are, and so are taps along the
depth. A stride makes phases of samples, each with taps of its own. A dilated kernel is a plain one
on each of the grids of samples that lie a dilation apart. The gradient of the input of a layer with
a stride falls into phases, each of a part of the taps; they are computed at once.
See src_c/kernels/winograd.c and src_c/drivers/adjoint.c.
"""

import math
from operator import mul

from . import _core

TILES = 2, 3, 4  # outputs of a tile along an axis
MOST_TAPS = 64

# What an element of the transforms costs, in multiply-adds of the direct method: a product; a
# sample of the input; of the output; a tap that is read; a weight that is made of taps; what such a
# sample and such a weight cost more where there is a stride; a weight that is read, once for a
# block of tiles, unless it is still near after the transform. Measured by
# benchmarks/calibrate_winograd.py. What weights cost more that come from memory, because there are
# more of them than a cache holds, about.
COSTS = 0.84, 25, 11, 6.5, 5, 60, 8, 3.2
FAR_COST, CACHED = 12, 4e6
LANES, FEW = 8, 4  # tiles of a vector, and of a part of one, about
BLOCK, HELD = 24, 1 << 16  # of a block, and transformed samples of its input, about the larger
ONCE = 192 << 10  # or all of them, if these are no more and weights are of several phases


def obstacle(p, dtype, *, adjoint=False):
    """Why the method does not compute the layer `p`, or an empty string.

    `adjoint` asks for the gradient of the input.
    """
    if dtype.kind != "f":
        return f"computes real floating-point samples, not {dtype}"
    if adjoint and any(n != 1 for n in p.stride) and (reason := _stride_obstacle(p)):
        return reason
    if any(n > 1 and apart > 1 for n, apart in zip(p.stride, p.dilation, strict=True)):
        return f"takes a stride or a dilation along an axis, not stride={p.stride} of {p.dilation}"
    if not tiles_of(p, adjoint=adjoint):
        if any(n > 1 for n in p.stride):
            return f"takes strides for which it has fewer products, not stride={p.stride}"
        return (
            "takes 2 to 16 taps along the last two axes, or along one of them, 64 at most, "
            f"not weight.shape={p.w_shape}"
        )
    if any(n != 1 for n in p.dilation[:-2]):
        return f"takes dilation 1 along the depth, not dilation={p.dilation}"
    sizes = zip(p.dilation, p.x_shape[2:], p.y_shape[2:], strict=True)
    if any(n > 1 and n > min(of_input, of_output) for n, of_input, of_output in sizes):
        return f"takes no dilation beyond the sizes of input and output, not {p.dilation}"
    pads = zip(p.dilation, p.boundary, p.before, p.after, strict=True)
    if any(n > 1 and rule and (before or after) for n, rule, before, after in pads):
        return f"takes padding with dilation in padding_mode='zeros' alone, not {p.dilation}"
    return ""


def _stride_obstacle(p):
    """The same for the gradient of the input of a layer with a stride."""
    axes = list(zip(p.w_shape[2:], p.stride, strict=True))
    if any(taps < stride for taps, stride in axes):
        return f"takes no stride beyond weight.shape={p.w_shape}, not stride={p.stride}"
    if any(n != 1 for n in p.dilation):
        return f"takes dilation 1 with a stride, not dilation={p.dilation}"
    if math.prod(-(-taps // stride) * stride for taps, stride in axes[-2:]) > MOST_TAPS:
        return f"takes 64 taps at most, not weight.shape={p.w_shape}"
    return ""


def _axes(p, adjoint):
    """(taps, stride) along each axis; of the gradient of the input those of a phase."""
    axes = zip(p.w_shape[2:], p.stride, strict=True)
    return [(-(-taps // stride), 1) if adjoint else (taps, stride) for taps, stride in axes]


def _tiled(axes):
    """Whether each axis is cut into tiles."""
    return [taps > 1 and axis >= len(axes) - 2 for axis, (taps, _) in enumerate(axes)]


def _forms(p, tile, adjoint):
    """(elements, parts) along each axis that is cut into such tiles; empty if they do not do."""
    axes = _axes(p, adjoint)
    cut = [axis for axis, tiled in zip(axes, _tiled(axes), strict=True) if tiled]
    forms = [_core.winograd_axis(taps, tile, len(cut) == 1, stride) for taps, stride in cut]
    return forms if all(forms) and math.prod(taps for taps, _ in cut) <= MOST_TAPS else []


def tiles_of(p, *, adjoint=False):
    """Tiles that there are for the layer `p`, by outputs along an axis."""
    return [tile for tile in TILES if _forms(p, tile, adjoint)]


def fastest(p, rate, *, packed=False, adjoint=False):
    """(seconds, tile) of one worker for one image, at so many direct multiply-adds a nanosecond.

    `packed` says that weights are transformed already, `adjoint` asks for the gradient of the
    input.
    """
    tiles = tiles_of(p, adjoint=adjoint)
    return min((_seconds(p, tile, rate, packed, adjoint), tile) for tile in tiles)


def _seconds(p, tile, rate, packed, adjoint):
    costs = counts(p, tile, packed=packed, adjoint=adjoint)
    far = FAR_COST * max(0, costs[-1] - CACHED)
    return 1e-9 / rate * (sum(map(mul, costs, COSTS)) + far)


def counts(p, tile, *, packed=False, adjoint=False):
    """How many of each of COSTS one image takes."""
    channels = p.w_shape[1], p.w_shape[0] // p.groups
    space, phases = p.y_shape[2:], 1
    if adjoint:
        channels, phases = channels[::-1], math.prod(p.stride)
        space = list(map(_outputs, p.x_shape[2:], p.w_shape[2:], p.stride, p.before))
    axes = _axes(p, adjoint)
    tiled = _tiled(axes)
    grids = [n if cut else 1 for n, cut in zip(p.dilation, tiled, strict=True)]
    sizes = [-(-n // grid) for n, grid in zip(space, grids, strict=True)]
    tiles = math.prod(-(-n // tile) if cut else n for n, cut in zip(sizes, tiled, strict=True))
    tiles *= math.prod(grids)
    elements, parts = map(math.prod, zip(*_forms(p, tile, adjoint), strict=True))
    channels = channels[0] * parts * math.prod(taps for taps, _ in axes[:-2]), channels[1] * phases
    weights = channels[0] * channels[1]
    lanes = LANES if tiles > LANES else FEW
    held = ONCE if phases > 1 and tiles * channels[0] * elements <= ONCE else HELD
    blocks = -(-tiles // max(BLOCK, held // (channels[0] * elements)))
    taps = math.prod(n for (n, _), cut in zip(axes, tiled, strict=True) if cut)
    strided = any(stride > 1 and cut for (_, stride), cut in zip(axes, tiled, strict=True))
    counts = (
        elements * weights * -(-tiles // lanes) * lanes,
        *(elements * c * tiles for c in channels),
        0 if packed else weights // parts * taps,
        0 if packed else elements * weights,
        elements * channels[0] * tiles if strided else 0,
        elements * weights if strided and not packed else 0,
        0 if blocks == 1 and not packed else elements * weights * blocks,
    )
    return [p.groups * n for n in counts]


def _outputs(size, taps, stride, before):
    """Outputs of a phase along an axis, with those that are computed and left out."""
    full = (taps - 1) % stride + 1  # phases that have all taps
    return -(-(size + before) // stride) - (before - full + stride) // stride
