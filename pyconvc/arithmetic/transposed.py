"""The sizes a transposed convolution can give, and how to ask for each."""

from dataclasses import dataclass

from pyconvc.arithmetic._axes import read_axes, shaped, span
from pyconvc.arithmetic.padding import axis_padding, depends_on_input


@dataclass(frozen=True, slots=True)
class TransposedSize:
    """One size that one axis of a transposed convolution can have, and how to ask for it.

    Attributes
    ----------
    size : int
        Output samples.
    output_padding : int
        What to pass to get it.
    padding : (int, int)
        Samples cropped before and after; they differ between sizes only for ``"same"`` and
        ``"same_lower"``.
    """

    size: int
    output_padding: int
    padding: tuple[int, int]


def conv_transpose_output_size(input, kernel, stride=1, padding=0, output_padding=0, dilation=1):
    """Return the output size of a transposed convolution.

    ``(input - 1) * stride + dilation * (kernel - 1) + 1 - before - after + output_padding``.
    The padding is that of the convolution being transposed, so it *crops* here; `output_padding`
    gives back up to one step at the end, where several sizes map to the same convolution output.

    Parameters
    ----------
    input, kernel, stride, dilation : int or sequence of int
        Per axis, in samples.
    padding : int, str, or sequence with one int, str or (before, after) pair per axis
        ``"same"`` and ``"same_lower"`` stand for the padding of a convolution over
        ``input * stride`` samples, which makes the output that large (unless the stride exceeds the
        effective kernel size: then `output_padding` has to fill up).
    output_padding : int or sequence of int
        Smaller than the stride or the dilation.

    Returns
    -------
    int or tuple of int

    Raises
    ------
    ValueError
        Nothing is left after cropping, or an argument is out of its range.
    TypeError
        A value that is not an int.

    See Also
    --------
    transpose_sizes : every size that some `output_padding` gives.
    output_padding_for : the `output_padding` for a wanted size.

    Examples
    --------
    >>> conv_transpose_output_size(3, kernel=3, stride=2, padding=1)
    5
    >>> conv_transpose_output_size(3, kernel=3, stride=2, padding=1, output_padding=1)
    6
    >>> conv_transpose_output_size((7, 7), kernel=4, stride=2, padding="same")
    (14, 14)

    References
    ----------
    Dumoulin & Visin (2016), relationship 14.
    """
    given = {"input": input, "kernel": kernel, "stride": stride, "dilation": dilation}
    rank, axes, forms = read_axes(padding, **given, output_padding=output_padding)
    rows = enumerate(zip(axes, forms, strict=True))
    return shaped([_transposed_axis(number, *axis, form) for number, (axis, form) in rows], rank)


def unpool_output_size(input, kernel, stride=None, padding=0):
    """Return the size `max_unpool` gives when no `output_size` is asked for.

    ``(input - 1) * stride + kernel - before - after``, the size a transposed convolution has.

    Examples
    --------
    >>> unpool_output_size(3, kernel=2)
    6
    """
    stride = kernel if stride is None else stride
    return conv_transpose_output_size(input, kernel, stride, padding)


def forward_inputs(output, kernel, stride=1, padding=0, dilation=1):
    """Return every input size from which a convolution makes `output` samples.

    The floor in the size formula forgets up to ``stride - 1`` samples, so as many as `stride`
    inputs share an output. A transposed convolution has to choose between them.

    Parameters
    ----------
    output, kernel, stride, dilation : int or sequence of int
        Per axis, in samples.
    padding : int, str, or sequence with one int, str or (before, after) pair per axis
        Any form of `resolve_padding`.

    Returns
    -------
    tuple of int, or a tuple of those per axis
        In rising order; empty when so much padding gives more than `output` from any input.

    Raises
    ------
    ValueError, TypeError
        An argument out of its range, or not an int.

    Examples
    --------
    >>> forward_inputs(3, kernel=3, stride=2, padding=1)
    (5, 6)
    >>> forward_inputs((3, 4), kernel=3, stride=(1, 3), padding="same")
    ((3,), (10, 11, 12))

    References
    ----------
    Dumoulin & Visin (2016), arXiv:1603.07285, section 2.4 on relationship 6.
    """
    rank, axes, forms = read_axes(
        padding, output=output, kernel=kernel, stride=stride, dilation=dilation
    )
    answers = [_forward_axis(*axis, form) for axis, form in zip(axes, forms, strict=True)]
    return shaped(answers, rank)


def transpose_sizes(input, kernel, stride=1, padding=0, dilation=1):
    """Return every output size a transposed convolution can give, smallest first.

    `output_padding` runs from 0 up to the larger of stride and dilation. Below the stride, a
    convolution over the size gives `input` back; from the stride on (only possible with a larger
    dilation, and allowed as in PyTorch) the extra samples lie beyond every tap of the kernel.

    Parameters
    ----------
    input, kernel, stride, dilation : int or sequence of int
        Per axis, in samples.
    padding : int, str, or sequence with one int, str or (before, after) pair per axis
        The padding of the convolution being transposed. With ``"same"`` and ``"same_lower"`` every
        size in ``((input - 1) * stride, input * stride]`` can be had, each with its own pair.

    Returns
    -------
    tuple of TransposedSize, or a tuple of those per axis

    Raises
    ------
    ValueError, TypeError
        An argument out of its range, or not an int.

    Examples
    --------
    >>> for size in transpose_sizes(3, kernel=3, stride=2, padding=1):
    ...     print(size)
    TransposedSize(size=5, output_padding=0, padding=(1, 1))
    TransposedSize(size=6, output_padding=1, padding=(1, 1))
    """
    rank, axes, forms = read_axes(
        padding, input=input, kernel=kernel, stride=stride, dilation=dilation
    )
    answers = [_sizes_axis(*axis, form) for axis, form in zip(axes, forms, strict=True)]
    return shaped(answers, rank)


def output_padding_for(output_size, input, kernel, stride=1, padding=0, dilation=1):
    """Return the `output_padding` with which a transposed convolution gives `output_size`.

    Parameters
    ----------
    output_size : int or sequence of int
        Wanted size per axis.
    input, kernel, stride, padding, dilation
        As `transpose_sizes`. With ``"same"`` the padding that goes with the answer is
        ``resolve_padding(padding, kernel, stride, dilation, output_size)``.

    Returns
    -------
    int or tuple of int

    Raises
    ------
    ValueError
        No `output_padding` gives that size; the message says which sizes can be had.
    TypeError
        A value that is not an int.

    Examples
    --------
    >>> output_padding_for((5, 6), input=3, kernel=3, stride=2, padding=1)
    (0, 1)
    >>> output_padding_for(9, input=3, kernel=3, stride=2, padding=1)
    Traceback (most recent call last):
    ...
    ValueError: output_size=9 is out of reach on axis 0; from input=3, kernel=3, stride=2, \
padding=1, dilation=1 come the sizes 5 to 6
    """
    given = {"input": input, "kernel": kernel, "stride": stride, "dilation": dilation}
    rank, axes, forms = read_axes(padding, **given, output_size=output_size)
    extras = [
        _extra_axis(number, *axis, form)
        for number, (axis, form) in enumerate(zip(axes, forms, strict=True))
    ]
    return shaped(extras, rank)


def _transposed_axis(number, input, kernel, stride, dilation, extra, form):
    if extra >= max(stride, dilation):
        raise ValueError(
            f"output_padding={extra} on axis {number} is too large; it must be smaller than "
            f"stride={stride} or dilation={dilation}"
        )
    reach = span(kernel, dilation)
    pair = transposed_padding(form, input, reach, stride)
    size = _smallest(input, reach, stride, pair) + extra
    if size < 1:
        raise ValueError(
            f"padding={pair} crops everything on axis {number}: ({input} - 1) * {stride} + "
            f"{reach} - {pair[0]} - {pair[1]} + {extra} = {size} is below 1"
        )
    return size


def transposed_padding(form, input, reach, stride):
    """Return the pair that a form of padding crops from one axis of a transposed convolution."""
    forward = input * stride if depends_on_input(form) else None
    return axis_padding(form, reach, stride, forward)


def _smallest(input, reach, stride, pair):
    """Return the size of one axis without output padding."""
    return (input - 1) * stride + reach - sum(pair)


def _forward_axis(output, kernel, stride, dilation, form):
    if depends_on_input(form):
        return tuple(_sizes_beyond(output, stride))
    reach = span(kernel, dilation)
    first = _smallest(output, reach, stride, axis_padding(form, reach, stride, None))
    return tuple(range(max(first, 1), first + stride))


def _sizes_beyond(output, stride):
    """The sizes that padding which depends on them brings to so many outputs."""
    return range((output - 1) * stride + 1, output * stride + 1)


def _sizes_axis(input, kernel, stride, dilation, form):
    sizes = _reachable(input, kernel, stride, dilation, form)
    return tuple(_sized(size, input, kernel, stride, dilation, form) for size in sizes)


def _reachable(input, kernel, stride, dilation, form):
    """All sizes of one axis, as a range."""
    if depends_on_input(form):
        return _sizes_beyond(input, stride)
    reach = span(kernel, dilation)
    first = _smallest(input, reach, stride, axis_padding(form, reach, stride, None))
    return range(max(first, 1), first + max(stride, dilation))


def _sized(size, input, kernel, stride, dilation, form):
    """How one of them is had."""
    reach = span(kernel, dilation)
    pair = axis_padding(form, reach, stride, size if depends_on_input(form) else None)
    return TransposedSize(size, size - _smallest(input, reach, stride, pair), pair)


def _extra_axis(number, input, kernel, stride, dilation, wanted, form):
    sizes = _reachable(input, kernel, stride, dilation, form)
    if wanted in sizes:
        return _sized(wanted, input, kernel, stride, dilation, form).output_padding
    reachable = f"the sizes {sizes[0]} to {sizes[-1]}" if sizes else "no sizes at all"
    raise ValueError(
        f"output_size={wanted} is out of reach on axis {number}; from input={input}, "
        f"kernel={kernel}, stride={stride}, padding={form!r}, dilation={dilation} come {reachable}"
    )
