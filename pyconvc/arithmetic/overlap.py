"""How often a transposed convolution paints each output: where checkerboards come from."""

from dataclasses import dataclass
from math import prod

from pyconvc.arithmetic._axes import integers, rank_of, span, spread
from pyconvc.arithmetic.padding import resolve_padding
from pyconvc.arithmetic.transposed import conv_transpose_output_size


@dataclass(frozen=True)
class OverlapMap:
    """How many input samples contribute to each output of a transposed convolution.

    Attributes
    ----------
    axes : tuple of tuple of int
        For every axis, the number of contributions to each output along it.
    phases : tuple of tuple of int
        For every axis, the numbers that repeat with the stride away from the borders: taps of the
        kernel that fall on each phase.
    """

    axes: tuple[tuple[int, ...], ...]
    phases: tuple[tuple[int, ...], ...]

    @property
    def even(self):
        """Whether all outputs away from the borders get equally many contributions."""
        return all(min(taps) == max(taps) for taps in self.phases)

    @property
    def extremes(self):
        """Fewest and most contributions to an output away from the borders."""
        return prod(map(min, self.phases)), prod(map(max, self.phases))

    @property
    def counts(self):
        """Contributions to every output, an int64 array with the output's axes."""
        import numpy as np

        counts = np.ones((), np.int64)
        for taps in self.axes:
            counts = np.multiply.outer(counts, np.array(taps, np.int64))
        return counts

    def __repr__(self):
        fewest, most = self.extremes
        verdict = f"even, {most} each" if self.even else f"uneven, {fewest} to {most}"
        return f"<overlap {verdict}; phases={self.phases}>"


def overlap_map(kernel, stride=1, padding=0, dilation=1, output_padding=0, input=None):
    """Count the contributions to each output of a transposed convolution.

    An input at ``i`` contributes to the outputs ``i * stride + tap * dilation - before``. Away from
    the borders, output ``o`` therefore gets one contribution from every tap with
    ``tap * dilation % stride == (o + before) % stride``: evenly many exactly when the stride is 1,
    or divides the kernel and shares no factor with the dilation. An uneven map is what draws
    checkerboards: the numbers along the axes multiply.

    Parameters
    ----------
    kernel, stride, dilation, output_padding : int or sequence of int
        Per axis.
    padding : int, str, or sequence with one int, str or (before, after) pair per axis
        As `conv_transpose_output_size`.
    input : int or sequence of int, optional
        Input size; by default just enough to show the borders and what repeats between them.

    Returns
    -------
    OverlapMap

    Raises
    ------
    ValueError, TypeError
        As `conv_transpose_output_size`.

    Examples
    --------
    >>> overlap_map(kernel=3, stride=2, input=4)
    <overlap uneven, 1 to 2; phases=((2, 1),)>
    >>> overlap_map(kernel=3, stride=2, input=4).counts
    array([1, 1, 2, 1, 2, 1, 2, 1, 1])
    >>> overlap_map(kernel=(4, 4), stride=2)
    <overlap even, 4 each; phases=((2, 2), (2, 2))>

    References
    ----------
    Odena, Dumoulin and Olah, "Deconvolution and Checkerboard Artifacts", Distill (2016),
    doi:10.23915/distill.00003.
    """
    given = {"kernel": kernel, "stride": stride, "dilation": dilation}
    rank = rank_of(**given, padding=padding, output_padding=output_padding, input=input)
    kernels, strides, dilations = (integers(name, given[name], rank) for name in given)
    reaches = tuple(map(span, kernels, dilations))
    inputs = _enough(reaches, strides) if input is None else integers("input", input, rank)
    sizes = conv_transpose_output_size(inputs, kernels, strides, padding, output_padding, dilations)
    forward = tuple(i * s for i, s in zip(inputs, strides, strict=True))
    pairs = resolve_padding(spread(padding, rank), kernels, strides, dilations, forward)
    firsts = [before for before, _ in pairs]
    columns = zip(inputs, kernels, strides, dilations, firsts, sizes, strict=True)
    return OverlapMap(
        tuple(_count(*axis) for axis in columns),
        tuple(map(_taps_by_phase, kernels, strides, dilations, firsts)),
    )


def _enough(reaches, strides):
    return tuple(
        3 * -(-reach // stride) + 1 for reach, stride in zip(reaches, strides, strict=True)
    )


def _count(input, kernel, stride, dilation, before, size):
    counts = [0] * size
    for sample in range(input):
        for tap in range(kernel):
            output = sample * stride + tap * dilation - before
            if 0 <= output < size:
                counts[output] += 1
    return tuple(counts)


def _taps_by_phase(kernel, stride, dilation, before):
    taps = [0] * stride
    for tap in range(kernel):
        taps[(tap * dilation - before) % stride] += 1
    return tuple(taps)
