# SPDX-License-Identifier: BSD-3-Clause
"""Where the samples beyond the ends of an axis come from, as runs: the adjoint of a boundary rule.

The adjoint of an extension sums each added sample into the one that it repeats. An extended axis
falls into runs over which the repeated samples move by a constant step, so slices do the summing;
the input itself is one of the runs.
"""

import functools
import itertools
from typing import NamedTuple

from .._methods import boundary_index

CONSTANT, REPLICATE = 0, 1


class Run(NamedTuple):
    """Samples ``start : start + length`` of an extended axis, which repeat every `step`-th sample
    from `source` on.
    """

    start: int
    length: int
    source: int
    step: int

    def of(self):
        """Slice of the input that the run repeats; a single sample where it does not move."""
        if not self.step:
            return slice(self.source, self.source + 1)
        end = self.source + self.step * self.length
        return slice(self.source, end if end >= 0 else None, self.step)


def boxes(space, before, after, boundary):
    """For every part of the extended input its run on each axis; the input itself comes first."""
    axes = [runs(*axis) for axis in zip(space, before, after, boundary, strict=True)]
    return itertools.product(*axes)


def fold_back(extended, axis, n, before, after, boundary):
    """Sum the added samples of an axis into those that they repeat."""

    def along(part):
        return (slice(None),) * axis + (part,)

    _itself, *added = runs(n, before, after, boundary)
    x = extended[along(slice(before, before + n))]
    if added:
        x = x.copy()
    for run in added:
        part = extended[along(slice(run.start, run.start + run.length))]
        if not run.step:
            part = part.sum(axis, dtype=x.dtype, keepdims=True)
        x[along(run.of())] += part
    return x


@functools.lru_cache(maxsize=1024)
def runs(n, before, after, boundary):
    """Runs of an axis of `n` samples with so many added to its ends; the input itself comes first.

    Samples of a constant repeat nothing and have no run.

    Examples
    --------
    >>> runs(3, 2, 4, 2)  # reflect: 2 1 | 0 1 2 | 1 0 1 2
    (Run(start=2, length=3, source=0, step=1), Run(start=0, length=2, source=2, step=-1), \
Run(start=5, length=2, source=1, step=-1), Run(start=7, length=2, source=1, step=1))
    """
    found = [Run(before, n, 0, 1)]
    if boundary != CONSTANT:
        for first, last in ((-before, 0), (n, n + after)):
            found += _runs_between(first, last, n, boundary, before)
    return tuple(found)


def _runs_between(first, last, n, boundary, before):
    while first < last:
        source, following = (int(i) for i in boundary_index([first, first + 1], n, boundary))
        step, length = following - source, last - first
        if step == 1:
            length = min(length, n - source)
        elif step == -1:
            length = min(length, source + 1)
        elif boundary != REPLICATE and n > 1:
            step, length = 0, 1
        yield Run(first + before, length, source, step)
        first += length
