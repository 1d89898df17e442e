"""Gridding: the samples that a stack of dilated convolutions never looks at."""

from dataclasses import dataclass
from math import gcd

from pyconvc.arithmetic._axes import integer, is_sequence


@dataclass(frozen=True)
class Gridding:
    """What one output of a stack of dilations sees, along one axis.

    In two and three dimensions, with the same numbers on every axis, a sample is seen exactly when
    each of its coordinates is: `coverage` multiplies as an outer product.

    Attributes
    ----------
    dilations : tuple of int
        From the input on.
    kernel : int
        Taps of every layer.
    coverage : tuple of int
        For every sample of the receptive field, the number of paths to the output; 0 is a hole.
    distances : tuple of int
        The bounds ``M_2`` to ``M_n`` of hybrid dilated convolution.
    """

    dilations: tuple[int, ...]
    kernel: int
    coverage: tuple[int, ...]
    distances: tuple[int, ...]

    @property
    def size(self):
        """Samples of the receptive field, seen or not."""
        return len(self.coverage)

    @property
    def holes(self):
        """Indices, within the receptive field, of the samples that no path reaches."""
        return tuple(index for index, paths in enumerate(self.coverage) if paths == 0)

    @property
    def covered(self):
        """Whether every sample of the receptive field is seen: the exact verdict."""
        return 0 not in self.coverage

    @property
    def common_factor(self):
        """Greatest common divisor of the dilations; above 1 it splits the input into grids."""
        return gcd(*self.dilations)

    @property
    def within_bound(self):
        """Whether ``M_2 <= kernel``, the design rule of hybrid dilated convolution."""
        return self.distances[0] <= self.kernel if self.distances else True

    def __repr__(self):
        seen = f"{self.size - len(self.holes)} of {self.size} samples"
        verdict = "covered" if self.covered else "gridding"
        bound = f", M_2={self.distances[0]}" if self.distances else ""
        return f"<{verdict}: dilations={self.dilations}, kernel={self.kernel}, sees {seen}{bound}>"


def gridding(dilations, kernel=3):
    """Check a stack of dilated convolutions, all of stride 1, for holes in its receptive field.

    Two answers come together. The exact one counts, for every sample of the receptive field, the
    paths to the output (`Gridding.coverage`); it knows no conditions and does not depend on the
    order of the layers. The design rule of hybrid dilated convolution bounds the distance between
    samples seen, from the last layer down to the second::

        M_n = r_n,    M_i = max(M_{i+1} - 2 r_i, 2 r_i - M_{i+1}, r_i),    M_2 <= kernel

    The rule says nothing of the first layer, which it takes to be dense, and asks besides that the
    dilations share no factor. With ``dilations[0] == 1`` and an odd kernel it is sufficient; it is
    never necessary, so ``covered`` decides.

    Parameters
    ----------
    dilations : int or sequence of int
        Dilation of each layer, from the input on.
    kernel : int
        Taps along the axis, the same in every layer.

    Returns
    -------
    Gridding

    Raises
    ------
    ValueError, TypeError
        No dilations, or a number below 1, or not an int.

    Examples
    --------
    >>> gridding((1, 2, 5))
    <covered: dilations=(1, 2, 5), kernel=3, sees 17 of 17 samples, M_2=2>
    >>> gridding((1, 2, 9))
    <gridding: dilations=(1, 2, 9), kernel=3, sees 21 of 25 samples, M_2=5>
    >>> gridding((2, 2, 2)).coverage
    (1, 0, 3, 0, 6, 0, 7, 0, 6, 0, 3, 0, 1)

    References
    ----------
    Wang et al., "Understanding Convolution for Semantic Segmentation" (2018), arXiv:1702.08502,
    section 3.2.
    """
    entries = tuple(dilations) if is_sequence(dilations) else (dilations,)
    if not entries:
        raise ValueError("dilations is empty; allowed is one int >= 1 per layer")
    rates = tuple(integer("dilations", entry, 1) for entry in entries)
    taps = integer("kernel", kernel, 1)
    return Gridding(rates, taps, _coverage(rates, taps), _distances(rates))


def _coverage(rates, taps):
    paths = [1]
    for rate in rates:
        wider = [0] * (len(paths) + (taps - 1) * rate)
        for tap in range(taps):
            for index, count in enumerate(paths):
                wider[index + tap * rate] += count
        paths = wider
    return tuple(paths)


def _distances(rates):
    bounds = [rates[-1]] if len(rates) > 1 else []
    for rate in reversed(rates[1:-1]):
        bounds.append(max(bounds[-1] - 2 * rate, 2 * rate - bounds[-1], rate))
    return tuple(reversed(bounds))
