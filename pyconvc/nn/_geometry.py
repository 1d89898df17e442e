# SPDX-License-Identifier: BSD-3-Clause
"""The numbers of a layer, from its arguments: the one place where these are checked.

Answers are kept, so that a call with arguments seen before costs one look-up.
"""

import functools
import math
from dataclasses import dataclass, replace
from operator import index

from .. import _check, _core
from ..arithmetic import (
    conv_transpose_output_size,
    output_padding_for,
    resolve_padding,
)
from ..arithmetic._axes import integer
from ..arithmetic.sizes import conv_axes

# PyTorch's names of the boundary rules, as codes of `_check.BOUNDARIES`.
PADDING_MODES = {"zeros": 0, "replicate": 1, "reflect": 2, "circular": 4}

LANES = 8  # samples of a vector, about
LARGEST = 1 << 60  # number given: sums of a few of them fit in 64 bits
SMALL_PLANE = 100  # outputs of one that the direct method takes whole, about


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A convolution in plain numbers; for a transposed one, the convolution that it transposes.

    Attributes
    ----------
    x_shape, w_shape, y_shape : tuple of int
        Of the convolution's input (N, G*C, *space), filters (G*K, C, *taps), output (N, G*K, *out).
    stride, dilation, before, after : tuple of int
        For each axis of space; `before` and `after` count the samples added to its ends.
    groups : int
    boundary : tuple of int
        Codes of `_check.BOUNDARIES`.
    """

    x_shape: tuple
    w_shape: tuple
    y_shape: tuple
    stride: tuple
    dilation: tuple
    before: tuple
    after: tuple
    groups: int
    boundary: tuple

    @property
    def reach(self):
        """Samples that the taps span along each axis."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.w_shape[2:], self.dilation, strict=True))

    @property
    def multiply_adds(self):
        """Products of all outputs and taps, those with added samples counted."""
        return math.prod(self.y_shape) * math.prod(self.w_shape[1:])

    @property
    def products(self):
        """Products that the direct method computes: with added zeros there are none.

        Along the width whole vectors are left out, not parts of one; of few outputs none, but there
        they are made up to whole vectors.
        """
        plane = math.prod(self.y_shape[2:][-2:])
        if 0 < plane <= SMALL_PLANE:
            return self.multiply_adds // plane * -(-plane // LANES) * LANES
        last = len(self.stride) - 1
        met = [self._outputs_met(axis, LANES if axis == last else 1) for axis in range(last + 1)]
        return math.prod(self.y_shape[:2]) * self.w_shape[1] * math.prod(met)

    def _outputs_met(self, axis, lanes):
        """How many outputs the taps of an axis meet samples of the input, or those made of them."""
        taps, outputs, last = (a[2 + axis] for a in (self.w_shape, self.y_shape, self.x_shape))
        before = self.before[axis]
        if self.boundary[axis] or before + self.after[axis] == 0:
            return taps * outputs
        numbers = taps, outputs, last, self.stride[axis], self.dilation[axis], before
        return _core.outputs_met(*numbers, lanes)

    def of_batch(self, samples):
        """The same of so many samples."""
        if samples == self.x_shape[0]:
            return self
        x_shape, y_shape = (samples, *self.x_shape[1:]), (samples, *self.y_shape[1:])
        return replace(self, x_shape=x_shape, y_shape=y_shape)


def forward(x_shape, w_shape, stride, padding, dilation, groups, padding_mode):
    """The numbers of a convolution over an input of shape (N, G*C, *space)."""
    numbers = hashable(len(x_shape) - 2, stride, padding, dilation, groups, padding_mode)
    return _forward(x_shape, w_shape, *numbers)


def hashable(rank, stride, padding, dilation, groups, padding_mode):
    """Arguments of a convolution in a form by which answers are kept."""
    if not (type(stride) is int or _are_ints(stride, rank)):
        stride = per_axis("stride", stride, rank)
    if not (type(padding) is int or _are_ints(padding, rank)):
        padding = padding_form(padding, rank)
    if not (type(dilation) is int or _are_ints(dilation, rank)):
        dilation = per_axis("dilation", dilation, rank)
    if type(groups) is not int:
        groups = integer("groups", groups, 1)
    if type(padding_mode) is not str:
        padding_mode = _mode(padding_mode)
    return stride, padding, dilation, groups, padding_mode


def transposed(
    x_shape, w_shape, stride, padding, output_padding, groups, dilation, output_size, padding_mode
):
    """The numbers of the convolution whose transpose maps an array of shape (N, G*K, *space)."""
    rank = len(x_shape) - 2
    stride, dilation = per_axis("stride", stride, rank), per_axis("dilation", dilation, rank)
    output_padding = per_axis("output_padding", output_padding, rank, least=0)
    if output_size is not None:
        output_size = _output_size(output_size, x_shape)
    return _transposed(
        x_shape,
        w_shape,
        stride,
        padding_form(padding, rank),
        output_padding,
        integer("groups", groups, 1),
        dilation,
        output_size,
        _mode(padding_mode),
    )


def _are_ints(value, rank):
    """Whether it is a tuple of an int for each axis, whatever these are."""
    return type(value) is tuple and len(value) == rank and {*map(type, value)} == {int}


def per_axis(name, value, rank, least=1):
    """One int, or a tuple with one for each axis; a sequence of one counts for all axes."""
    if type(value) is int and least <= value <= LARGEST:
        return value
    if isinstance(value, str) or not hasattr(value, "__len__"):
        entries = (integer(name, value, least),)
    elif len(value) in (1, rank):
        entries = tuple(integer(name, entry, least) for entry in value)
    else:
        raise _check.bad(name, value, f"must be an int, or one for each of {rank} axes")
    check_largest(**{name: entries})
    return entries[0] if len(entries) == 1 else entries


def spread(value, rank):
    """One entry for each axis, from what `per_axis` or `padding_form` gives."""
    if not isinstance(value, tuple):
        return (value,) * rank
    return value * rank if len(value) == 1 else value


def check_largest(**numbers):
    """Refuse those with which 64 bits could not compute."""
    for name, values in numbers.items():
        if max(values) > LARGEST:
            raise _check.bad(name, values, f"must be at most {LARGEST}")


def padding_form(padding, rank):
    """Padding in a form that can be looked up: str, int, or a tuple of str, ints and pairs."""
    if type(padding) is int or isinstance(padding, str):
        return padding
    if not hasattr(padding, "__len__"):
        return integer("padding", padding, 0)
    if len(padding) not in (1, rank):
        allowed = f"must be an int, a name, or an int, a name or a pair for each of {rank} axes"
        raise _check.bad("padding", padding, allowed)
    return tuple(
        tuple(integer("padding", end, 0) for end in entry)
        if hasattr(entry, "__len__") and not isinstance(entry, str)
        else entry
        if isinstance(entry, str)
        else integer("padding", entry, 0)
        for entry in padding
    )


def _mode(padding_mode):
    return _check.one_of("padding_mode", padding_mode, PADDING_MODES)


def _output_size(output_size, x_shape):
    """One size for each axis of space; those of batch and channels before it may be given too."""
    rank = len(x_shape) - 2
    sizes = output_size if hasattr(output_size, "__len__") else (output_size,) * rank
    if len(sizes) not in (rank, rank + 1, rank + 2):
        raise _check.bad("output_size", output_size, f"must have an int for each of {rank} axes")
    return tuple(integer("output_size", size, 1) for size in sizes[-rank:])


@functools.lru_cache(maxsize=1024)
def _forward(x_shape, w_shape, stride, padding, dilation, groups, padding_mode):
    space, taps = x_shape[2:], w_shape[2:]
    _check_filters(w_shape, len(space), integer("groups", groups, 1))
    _mode(padding_mode)
    channels = groups * w_shape[1]
    if x_shape[1] != channels:
        raise _check.bad(
            "input.shape",
            x_shape,
            f"must have {channels} channels: groups={groups} times weight.shape[1]={w_shape[1]}",
        )
    out, pads = conv_axes(space, taps, stride, padding, dilation)
    y_shape = (x_shape[0], w_shape[0], *out)
    return _layer(x_shape, w_shape, y_shape, stride, pads, dilation, groups, padding_mode)


@functools.lru_cache(maxsize=1024)
def _transposed(
    x_shape, w_shape, stride, padding, output_padding, groups, dilation, output_size, padding_mode
):
    space, taps = x_shape[2:], w_shape[2:]
    _check_filters(w_shape, len(space), groups)
    if x_shape[1] != w_shape[0]:
        raise _check.bad("input.shape", x_shape, f"must have weight.shape[0]={w_shape[0]} channels")
    if output_size is not None:
        output_padding = _output_padding(
            output_size, output_padding, space, taps, stride, padding, dilation
        )
        size = over = output_size
    else:
        size = conv_transpose_output_size(space, taps, stride, padding, output_padding, dilation)
        over = tuple(n * s for n, s in zip(space, spread(stride, len(space)), strict=True))
    pads = resolve_padding(padding, taps, stride, dilation, over)
    y_shape = (x_shape[0], groups * w_shape[1], *size)
    return _layer(y_shape, w_shape, x_shape, stride, pads, dilation, groups, padding_mode)


def _output_padding(output_size, output_padding, space, taps, stride, padding, dilation):
    """The output padding that gives a size; one that was asked for as well must be the same."""
    wanted = output_padding_for(output_size, space, taps, stride, padding, dilation)
    given = spread(output_padding, len(space))
    if any(given) and given != wanted:
        raise _check.bad("output_padding", given, f"output_size={output_size} takes {wanted}")
    return wanted


def _check_filters(w_shape, rank, groups):
    if len(w_shape) != rank + 2:
        form = "(G*K, C, " + ", ".join(["taps"] * rank) + ")"
        raise _check.bad("weight.shape", w_shape, f"must have {rank + 2} axes, {form}")
    if w_shape[0] % groups:
        raise _check.bad("groups", groups, f"must divide weight.shape[0]={w_shape[0]}")
    if 0 in w_shape[1:]:
        raise _check.bad("weight.shape", w_shape, "must have channels and taps")


def _layer(x_shape, w_shape, y_shape, stride, pads, dilation, groups, padding_mode):
    rank = len(x_shape) - 2
    before, after = zip(*pads, strict=True)
    boundary = (PADDING_MODES[padding_mode],) * rank
    stride, dilation = spread(stride, rank), spread(dilation, rank)
    check_largest(stride=stride, dilation=dilation, padding=(*before, *after))
    return Layer(x_shape, w_shape, y_shape, stride, dilation, before, after, groups, boundary)


def integers(name, value, rank=None, least=None):
    """A tuple of ints given as an argument; for a known rank an int stands for as many."""
    if rank is not None and not hasattr(value, "__len__"):
        value = (value,) * rank
    try:
        numbers = tuple(index(number) for number in value)
    except TypeError:
        raise TypeError(f"{name}={value!r}: must be a sequence of ints") from None
    if rank is not None and len(numbers) != rank:
        raise _check.bad(name, value, f"must have an int for each of {rank} axes")
    if least is not None and min(numbers, default=least) < least:
        raise _check.bad(name, value, f"must be at least {least}")
    check_largest(**{name: numbers or (0,)})
    return numbers


def sizes(name, value, rank):
    """A shape (N, C, *space) or (C, *space) with an N, and whether it had one."""
    given = integers(name, value, least=0)
    if len(given) not in (rank + 1, rank + 2):
        allowed = f"must be (N, C, *space) or (C, *space) with {rank} axes of space"
        raise _check.bad(name, value, allowed)
    return (given, True) if len(given) == rank + 2 else ((1, *given), False)
