"""Output sizes of everything that slides a window over its input, in plain ints."""

from dataclasses import dataclass
from math import prod

from pyconvc.arithmetic._axes import integers, rank_of, read_axes, shaped, span, spread
from pyconvc.arithmetic.padding import axis_padding


@dataclass(frozen=True, slots=True)
class _Axis:
    """One axis of a sliding window; `number` is only for messages."""

    number: int
    input: int
    kernel: int
    stride: int
    dilation: int
    before: int
    after: int

    @property
    def span(self):
        return span(self.kernel, self.dilation)

    @property
    def slack(self):
        """Steps of one sample the window can make over the padded input; negative: no fit."""
        return self.input + self.before + self.after - self.span


def effective_kernel_size(kernel, dilation=1):
    """Return how many samples a dilated kernel reaches across: ``dilation * (kernel - 1) + 1``.

    Examples
    --------
    >>> effective_kernel_size(3, dilation=4)
    9
    >>> effective_kernel_size((3, 5), dilation=2)
    (5, 9)
    """
    rank = rank_of(kernel=kernel, dilation=dilation)
    kernels = integers("kernel", kernel, rank)
    return shaped(tuple(map(span, kernels, integers("dilation", dilation, rank))), rank)


def conv_output_size(input, kernel, stride=1, padding=0, dilation=1):
    """Return the output size of a convolution.

    ``floor((input + before + after - dilation * (kernel - 1) - 1) / stride) + 1``: the number of
    steps the kernel can make over the padded input, plus the position it starts from.

    Parameters
    ----------
    input, kernel, stride, dilation : int or sequence of int
        Per axis, in samples.
    padding : int, str, or sequence with one int, str or (before, after) pair per axis
        Any form of `resolve_padding`.

    Returns
    -------
    int or tuple of int
        An int when every argument is plain, else one int per axis.

    Raises
    ------
    ValueError
        The kernel reaches further than the padded input, or an argument is out of its range.
    TypeError
        A value that is not an int.

    Examples
    --------
    >>> conv_output_size(5, kernel=3, stride=2, padding=1)
    3
    >>> conv_output_size((224, 320), kernel=7, stride=2, padding=3)
    (112, 160)
    >>> conv_output_size(16000, kernel=2, dilation=512, padding="causal")
    16000
    >>> conv_output_size(4, kernel=3, dilation=3)
    Traceback (most recent call last):
    ...
    ValueError: kernel=3 with dilation=3 spans 7 samples on axis 0, \
but input=4 padded by (0, 0) has 4: floor((4 + 0 + 0 - 7) / 1) + 1 = -2 is below 1

    References
    ----------
    Dumoulin & Visin, "A guide to convolution arithmetic for deep learning" (2016),
    arXiv:1603.07285, relationships 6 and 15.
    """
    rank, axes = _window_axes(input, kernel, stride, padding, dilation)
    return shaped([_conv_axis(axis) for axis in axes], rank)


def conv_axes(input, kernel, stride, padding, dilation):
    """Return the output size and the (before, after) pair of each axis of a convolution.

    Sizes are tuples, the other arguments single or one per axis.
    """
    rank = len(input)
    given = {"input": input, "kernel": kernel, "stride": stride, "dilation": dilation}
    columns = (integers(name, value, rank) for name, value in given.items())
    rows = zip(range(rank), *columns, spread(padding, rank), strict=True)
    axes = [_window_axis(*row) for row in rows]
    return [_conv_axis(axis) for axis in axes], [(axis.before, axis.after) for axis in axes]


def pool_output_size(input, kernel, stride=None, padding=0, dilation=1, ceil_mode=False):
    """Return the output size of a pooling window (average, maximum or Lp).

    As `conv_output_size`; with `ceil_mode` the division rounds up, so that a last window may hang
    over the end, but a window that would start in the padding *after* the input is dropped.

    Parameters
    ----------
    input, kernel, dilation : int or sequence of int
        Per axis, in samples.
    stride : int or sequence of int, optional
        Defaults to the kernel: windows side by side.
    padding : int, str, or sequence with one int, str or (before, after) pair per axis
        At most half the effective kernel size on either side.
    ceil_mode : bool
        Round up instead of down, as PyTorch.

    Returns
    -------
    int or tuple of int

    Raises
    ------
    ValueError, TypeError
        As `conv_output_size`, and for padding above half the effective kernel size.

    Examples
    --------
    >>> pool_output_size(7, kernel=2), pool_output_size(7, kernel=2, ceil_mode=True)
    (3, 4)

    Rounding up would make three windows here, but the third would start at 6, past the input:

    >>> pool_output_size(5, kernel=1, stride=3, ceil_mode=True)
    2

    References
    ----------
    Dumoulin & Visin (2016), relationship 7; PyTorch, ``torch.nn.MaxPool2d`` for `ceil_mode`.
    """
    stride = kernel if stride is None else stride
    rank, axes = _window_axes(input, kernel, stride, padding, dilation)
    return shaped([_pool_axis(axis, ceil_mode) for axis in axes], rank)


def unfold_output_size(input, kernel, stride=1, padding=0, dilation=1):
    """Return the grid of blocks that `unfold` cuts from an input, or `fold` adds back into it.

    The grid is that of a convolution's output; for `fold`, `input` is the size it writes to.

    Examples
    --------
    >>> unfold_output_size((5, 6), kernel=(2, 3), stride=2)
    (2, 2)
    """
    return conv_output_size(input, kernel, stride, padding, dilation)


def unfold_blocks(input, kernel, stride=1, padding=0, dilation=1):
    """Return the number of blocks, the length of the last axis of `unfold`'s result.

    Examples
    --------
    >>> unfold_blocks((5, 6), kernel=(2, 3), stride=2)
    4
    """
    grid = unfold_output_size(input, kernel, stride, padding, dilation)
    return prod(spread(grid, None))


def adaptive_windows(input, output):
    """Return the (start, end) windows of adaptive pooling, which give exactly `output` bins.

    Bin ``b`` covers the samples from ``floor(b * input / output)`` up to, not including,
    ``ceil((b + 1) * input / output)``: neighbours share a sample when the sizes do not divide.

    Parameters
    ----------
    input, output : int or sequence of int
        Sizes per axis; `output` may be 0 (no bins) or exceed `input` (samples repeat).

    Returns
    -------
    tuple of (int, int), or a tuple of those per axis

    Examples
    --------
    >>> adaptive_windows(5, 3)
    ((0, 2), (1, 4), (3, 5))

    References
    ----------
    PyTorch, ``torch.nn.AdaptiveAvgPool2d``.
    """
    rank = rank_of(input=input, output=output)
    inputs = integers("input", input, rank)
    outputs = integers("output", output, rank, least=0)
    return shaped(list(map(_adaptive_axis, inputs, outputs)), rank)


def _window_axes(input, kernel, stride, padding, dilation):
    """Return the rank and one checked `_Axis` per axis."""
    given = {"input": input, "kernel": kernel, "stride": stride, "dilation": dilation}
    rank, axes, forms = read_axes(padding, **given)
    rows = enumerate(zip(axes, forms, strict=True))
    return rank, [_window_axis(number, *axis, form) for number, (axis, form) in rows]


def _window_axis(number, input, kernel, stride, dilation, form):
    pair = axis_padding(form, span(kernel, dilation), stride, input)
    return _Axis(number, input, kernel, stride, dilation, *pair)


def _conv_axis(axis):
    size = axis.slack // axis.stride + 1
    if size < 1:
        raise _does_not_fit(axis, "floor", size)
    return size


def _pool_axis(axis, ceil_mode):
    half = axis.span // 2
    if max(axis.before, axis.after) > half:
        raise ValueError(
            f"padding={(axis.before, axis.after)} on axis {axis.number}: a pool allows at most "
            f"half the effective kernel size, {axis.span} // 2 = {half}, on either side"
        )
    size = (axis.slack + (axis.stride - 1 if ceil_mode else 0)) // axis.stride + 1
    if ceil_mode and (size - 1) * axis.stride >= axis.input + axis.before:
        size -= 1
    if size < 1:
        raise _does_not_fit(axis, "ceil" if ceil_mode else "floor", size)
    return size


def _does_not_fit(axis, rounding, size):
    padded = axis.input + axis.before + axis.after
    return ValueError(
        f"kernel={axis.kernel} with dilation={axis.dilation} spans {axis.span} samples on axis "
        f"{axis.number}, but input={axis.input} padded by {(axis.before, axis.after)} has "
        f"{padded}: {rounding}(({axis.input} + {axis.before} + {axis.after} - {axis.span}) / "
        f"{axis.stride}) + 1 = {size} is below 1"
    )


def _adaptive_axis(input, output):
    return tuple((b * input // output, -(-(b + 1) * input // output)) for b in range(output))
