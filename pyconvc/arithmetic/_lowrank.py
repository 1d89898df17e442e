"""A kernel as a sum of orthogonal products, by the higher-order singular value decomposition."""

import numpy as np


def in_double(values):
    """Return the values in double precision, real or complex."""
    return values.astype(np.complex128 if values.dtype.kind == "c" else np.float64)


def power_above(values):
    """Return the power of two just above the largest value: dividing by it avoids overflow."""
    return np.ldexp(1.0, min(int(np.frexp(np.abs(values).max())[1]), 1023))


def unfold(kernel, axis):
    """Return the kernel as a matrix with one row for every place along an axis."""
    return np.moveaxis(kernel, axis, 0).reshape(kernel.shape[axis], -1)


def low_rank_terms(kernel, tol):
    """Return orthogonal terms, largest first, whose sum is within `tol` of the kernel."""
    peak = power_above(in_double(kernel))
    values = in_double(kernel) / peak
    whole = int(np.argmax(kernel.shape))
    axes = [axis for axis in range(kernel.ndim) if axis != whole]
    bases = {axis: np.linalg.svd(unfold(values, axis), full_matrices=False)[0] for axis in axes}
    core = values
    for axis, basis in bases.items():
        core = np.moveaxis(np.tensordot(core, basis.conj(), (axis, 0)), -1, axis)
    fibres = np.moveaxis(core, whole, 0)
    norms = np.linalg.norm(fibres, axis=0)
    terms = []
    for place in _needed(norms, tol):
        columns = {axis: bases[axis][:, at] for axis, at in zip(axes, place, strict=True)}
        columns[whole] = fibres[(slice(None), *place)] * peak
        terms.append(tuple(columns[axis] for axis in range(kernel.ndim)))
    return terms


def _needed(norms, tol):
    """Return the places of the norms that must be kept, largest first: at least one."""
    order = np.argsort(norms, axis=None, kind="stable")
    dropped = np.sqrt(np.cumsum(norms.flat[order] ** 2))
    keep = order[np.searchsorted(dropped, tol * dropped[-1], side="right") :]
    keep = keep if keep.size else order[-1:]
    return [tuple(map(int, np.unravel_index(at, norms.shape))) for at in reversed(keep)]


def outer(factors):
    """Return the product of 1-D factors, one axis each."""
    product = factors[0]
    for factor in factors[1:]:
        product = np.multiply.outer(product, factor)
    return product
