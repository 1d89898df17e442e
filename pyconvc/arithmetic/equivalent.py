"""The direct convolution that computes the same as a transposed one."""

from dataclasses import dataclass

from pyconvc.arithmetic._axes import read_axes, shaped, span, spread
from pyconvc.arithmetic.transposed import conv_transpose_output_size, transposed_padding


@dataclass(frozen=True, slots=True)
class EquivalentConvolution:
    """The direct convolution, of stride 1, that equals one axis of a transposed convolution.

    It slides the *flipped* kernel over the input stretched with ``stride - 1`` zeros between its
    samples and padded with zeros. Good for understanding; a waste of multiplications by zero.

    Attributes
    ----------
    stretched : int
        Size of the input after the zeros went in between: ``(input - 1) * stride + 1``.
    padding : (int, int)
        Zeros before and after the stretched input; a negative number crops it.
    output : int
        Output samples.
    """

    stretched: int
    padding: tuple[int, int]
    output: int


def equivalent_convolution(input, kernel, stride=1, padding=0, output_padding=0, dilation=1):
    """Return the direct convolution that computes the same as a transposed one.

    Parameters
    ----------
    input, kernel, stride, padding, output_padding, dilation
        As `conv_transpose_output_size`.

    Returns
    -------
    EquivalentConvolution, or a tuple of those per axis

    Raises
    ------
    ValueError, TypeError
        As `conv_transpose_output_size`.

    Examples
    --------
    >>> equivalent_convolution(3, kernel=3, stride=2, padding=1, output_padding=1)
    EquivalentConvolution(stretched=5, padding=(1, 2), output=6)

    With numbers: zeros between the samples, zeros around them, the kernel turned round.

    >>> import numpy as np
    >>> x, w = np.array([1, 2, 3]), np.array([1, 10, 100])
    >>> stretched = np.array([0,  1, 0, 2, 0, 3,  0, 0])
    >>> np.correlate(stretched, w[::-1])
    array([ 10, 102,  20, 203,  30, 300])

    References
    ----------
    Dumoulin & Visin (2016), arXiv:1603.07285, chapter 4, relationships 8 to 14.
    """
    outputs = conv_transpose_output_size(input, kernel, stride, padding, output_padding, dilation)
    given = {"input": input, "kernel": kernel, "stride": stride, "dilation": dilation}
    rank, axes, forms = read_axes(padding, **given, output_padding=output_padding)
    rows = zip(axes, forms, spread(outputs, rank), strict=True)
    return shaped([_equivalent_axis(*axis, form, output) for axis, form, output in rows], rank)


def _equivalent_axis(input, kernel, stride, dilation, extra, form, output):
    reach = span(kernel, dilation)
    before, after = transposed_padding(form, input, reach, stride)
    padding = (reach - 1 - before, reach - 1 - after + extra)
    return EquivalentConvolution((input - 1) * stride + 1, padding, output)
