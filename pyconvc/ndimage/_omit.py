"""Filters over arrays with missing samples, by the sums of `pyconvc._missing`: those that no chain
takes at once, of complex samples, of both signs, along more than three axes, of very long windows.

Filters one after the other are one kernel, the product of theirs, over the extended input: what is
beyond a constant edge is the constant there for all of them. The sums are computed filter after
filter nevertheless, those of the samples that are there and those of their weights.
"""

import math
from dataclasses import replace

import numpy as np

from .. import _bands, _missing

ANYTHING = 1  # code of a rule for what is not used


class ChainSums(_missing.Sums):
    """The sums of filters one after the other.

    ``compute(x, filters, y, work)`` runs filters from x to y, of one shape and without missing
    samples, in the dtype `work`.
    """

    def __init__(self, compute, filters, x, work, workers):
        weights = [f.weights for f in filters if f.weights is not None]
        for w in weights:
            _missing.check_weights(w)
        self._compute, self.workers = compute, workers
        self.mixed = _missing.have_both_signs(*weights)
        self.fill = np.array(filters[0].cval, work)
        along = {a: (f, i) for f in filters for i, a in enumerate(f.axes)}
        taps = dict.fromkeys(range(x.ndim), 1) | {a: f.size[i] for a, (f, i) in along.items()}
        self.axis = _missing.axis_of_bands(x.shape, taps, work.itemsize, self.mixed)
        self.taps, self.before, self.boundary = taps[self.axis], 0, ANYTHING
        if self.axis in along:
            f, i = along[self.axis]
            self.before, self.boundary = f.before[i], f.modes[i]
        self._filters = [_without_rule(f, self.axis) for f in filters]
        self._sizes = [sized(f) for f in self._filters]
        self._totals = {}

    def weighted(self, x, y, fill):
        return self._run(x, self._filters, y, fill)

    def sized(self, x, y, fill):
        return self._run(x, self._sizes, y, fill)

    def _run(self, x, filters, y, fill):
        result = np.empty(x.shape, x.dtype)
        self._compute(x, list(with_constant(filters, fill)), result, x.dtype)
        rows = _bands.part(self.axis, self.before, self.before + y.shape[self.axis])
        return np.ascontiguousarray(result[rows])

    def total(self, x, y):
        """A line alone, for kernels choose their order by its length."""
        width = x.shape[-1]
        if width not in self._totals:
            ones = np.ones((1,) * (x.ndim - 1) + (width,), x.dtype)
            anywhere = [replace(f, modes=(ANYTHING,) * len(f.axes)) for f in self._sizes]
            self._compute(ones, anywhere, result := np.empty_like(ones), x.dtype)
            self._totals[width] = result.ravel()[:1]
        return self._totals[width]


def _without_rule(f, axis):
    """The filter where no rule is needed along an axis."""
    modes = (ANYTHING if a == axis else m for a, m in zip(f.axes, f.modes, strict=True))
    return replace(f, modes=tuple(modes))


def sized(f):
    """The filter with the absolute values of its weights; means have one sign."""
    return f if f.weights is None else replace(f, weights=np.abs(f.weights))


def with_constant(filters, fill):
    """The filters with what those before them make of the constant beyond the edges."""
    fill = fill.item()
    for f in filters:
        yield replace(f, cval=fill)
        if f.weights is not None:
            fill *= f.weights.sum() if f.weights.dtype.kind == "c" else math.fsum(f.weights.ravel())
