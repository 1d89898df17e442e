"""Rank of a kernel, and its factors: one product of 1-D kernels, or a short sum of them."""

from dataclasses import dataclass
from math import prod

import numpy as np

from pyconvc._arrays import view
from pyconvc.arithmetic._exact import integer_rank, integer_values, primitive_row
from pyconvc.arithmetic._lowrank import in_double, low_rank_terms, outer, power_above, unfold


@dataclass(frozen=True, eq=False)
class SeparableSum:
    """A kernel as a sum of products of 1-D kernels.

    Attributes
    ----------
    shape : tuple of int
        Of the kernel.
    terms : tuple of tuple of ndarray
        For each term one 1-D factor per axis, the largest term first; empty for a kernel of zeros.
    error : float
        Frobenius norm of what the sum lacks, relative to the kernel's: 0.0 when it is exact.
    """

    shape: tuple[int, ...]
    terms: tuple[tuple[np.ndarray, ...], ...]
    error: float

    @property
    def exact(self):
        """Whether the products give back every value of the kernel, bit for bit."""
        return self.error == 0.0

    @property
    def factors(self):
        """The 1-D factors, one per axis, of a sum that has a single term."""
        if len(self.terms) != 1:
            raise ValueError(f"the kernel needs {len(self.terms)} terms; see terms for them all")
        return self.terms[0]

    @property
    def taps(self):
        """Multiplications for one output sample, one axis after the other."""
        return len(self.terms) * sum(self.shape)

    @property
    def kernel(self):
        """The sum written out as one array."""
        products = [outer(factors) for factors in self.terms]
        return sum(products[1:], products[0]) if products else np.zeros(self.shape)

    def __repr__(self):
        terms = f"{len(self.terms)} term{'' if len(self.terms) == 1 else 's'}"
        accuracy = "exact" if self.exact else f"error {self.error:.1e}"
        return f"<{self.shape} in {terms}, {accuracy}: {self.taps} taps for {prod(self.shape)}>"


def rank(kernel, tol=None):
    """Return the rank of a kernel; 1 means that it is a product of 1-D kernels.

    For a matrix its matrix rank, the number of terms `separable_factors` needs. For more axes the
    largest of the `mode_ranks`.

    Parameters
    ----------
    kernel, tol
        As `mode_ranks`.

    Returns
    -------
    int

    Raises
    ------
    ValueError, TypeError
        As `mode_ranks`.

    Examples
    --------
    >>> rank([[1, 0, -1], [2, 0, -2], [1, 0, -1]])
    1
    >>> rank([[0, 1, 0], [1, -4, 1], [0, 1, 0]])
    2
    """
    return max(mode_ranks(kernel, tol))


def mode_ranks(kernel, tol=None):
    """Return the multilinear rank: for each axis, the rank of the kernel unfolded along it.

    Parameters
    ----------
    kernel : array_like
        One axis or more, bool, integer, float or complex.
    tol : float, optional
        Singular values up to `tol` times the largest count as zero. By default integer and bool
        kernels are ranked exactly, and for floats it is the dtype's epsilon times the longer side.

    Returns
    -------
    tuple of int

    Raises
    ------
    ValueError
        No axes, an empty kernel, values that are not finite, or a negative `tol`.
    TypeError
        Any other dtype.

    Examples
    --------
    Equal on both axes of a matrix, not so of a box of numbers:

    >>> mode_ranks([[[1, 0], [0, 1]]])
    (1, 2, 2)

    References
    ----------
    De Lathauwer, De Moor and Vandewalle, "A multilinear singular value decomposition" (2000),
    doi:10.1137/S0895479896305696.
    """
    kernel = _checked(kernel, tol)
    if kernel.dtype.kind in "biu" and tol is None:
        return tuple(integer_rank(_unfolded_integers(kernel, axis)) for axis in range(kernel.ndim))
    return tuple(_numeric_rank(kernel, axis, tol) for axis in range(kernel.ndim))


def separable_factors(kernel, tol=None):
    """Return the 1-D kernels whose products, summed, make up a kernel.

    A kernel that is exactly one product is found by integer arithmetic, floats included, and its
    factors multiply back to it bit for bit, in the kernel's own dtype. Any other becomes a sum:
    the singular value decomposition for a matrix, and for more axes the higher-order one (HOSVD),
    with the longest axis left whole. Terms are orthogonal, and the smallest are dropped while the
    error stays within `tol`.

    Parameters
    ----------
    kernel : array_like
        One axis or more, bool, integer, float or complex.
    tol : float, optional
        Allowed error, relative, in the Frobenius norm. By default rounding only: the dtype's
        epsilon times the longest side.

    Returns
    -------
    SeparableSum
        A sum that is not one exact product has factors of the kernel's dtype for floats, and of
        float64 for integers.

    Raises
    ------
    ValueError, TypeError
        As `mode_ranks`.

    Examples
    --------
    >>> sobel = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]], np.int8)
    >>> separable_factors(sobel)
    <(3, 3) in 1 term, exact: 6 taps for 9>
    >>> separable_factors(sobel).factors
    (array([1, 2, 1], dtype=int8), array([ 1,  0, -1], dtype=int8))

    A disc is no product, but a sum of four comes close:

    >>> y, x = np.mgrid[-7:8, -7:8]
    >>> disc = (x * x + y * y <= 49).astype(float)
    >>> separable_factors(disc, tol=0.15)
    <(15, 15) in 4 terms, error 1.4e-01: 120 taps for 225>

    References
    ----------
    Eckart and Young (1936), doi:10.1007/BF02288367; De Lathauwer et al. (2000),
    doi:10.1137/S0895479896305696.
    """
    kernel = _checked(kernel, tol)
    if not kernel.any():
        return SeparableSum(kernel.shape, (), 0.0)
    factors = _exact_factors(kernel)
    if factors is not None:
        return SeparableSum(kernel.shape, (factors,), 0.0)
    dtype = kernel.dtype if kernel.dtype.kind in "fc" else np.dtype(np.float64)
    tol = np.finfo(dtype).eps * max(kernel.shape) if tol is None else tol
    terms = low_rank_terms(kernel, tol)
    rounded = tuple(tuple(factor.astype(dtype) for factor in term) for term in terms)
    return SeparableSum(kernel.shape, rounded, _error(kernel, rounded))


def _checked(kernel, tol):
    kernel = view(kernel, "kernel")
    if kernel.dtype.kind not in "biufc":
        raise TypeError(f"kernel has dtype {kernel.dtype}; allowed: bool, integer, float, complex")
    if kernel.ndim == 0 or kernel.size == 0:
        raise ValueError(f"kernel has shape {kernel.shape}; at least one axis and value is needed")
    if not np.isfinite(kernel).all():
        raise ValueError("kernel has values that are not finite; a rank needs finite ones")
    if tol is not None and not tol >= 0:
        raise ValueError(f"tol={tol} is not allowed; it must be >= 0, or None")
    return kernel


def _unfolded_integers(kernel, axis):
    values, _ = integer_values(unfold(kernel, axis))
    width = kernel.size // kernel.shape[axis]
    return [values[at : at + width] for at in range(0, len(values), width)]


def _numeric_rank(kernel, axis, tol):
    matrix = unfold(kernel, axis)
    if tol is None:
        tol = np.finfo(kernel.dtype).eps * max(matrix.shape)
    singular = np.linalg.svd(in_double(matrix), compute_uv=False)
    return int(np.count_nonzero(singular > tol * singular[0]))


def _exact_factors(kernel):
    """Return factors whose product is the kernel bit for bit, or None."""
    values, scale = integer_values(kernel)
    factors = []
    for size in kernel.shape[:-1]:
        width = len(values) // size
        split = primitive_row([values[at : at + width] for at in range(0, len(values), width)])
        if split is None:
            return None
        factors.append(split[0])
        values = split[1]
    factors.append(values)
    scales = [scale] + [1] * (kernel.ndim - 1)
    arrays = tuple(
        _array(factor, divisor, kernel.dtype)
        for factor, divisor in zip(factors, scales, strict=True)
    )
    with np.errstate(all="ignore"):
        return arrays if np.array_equal(outer(arrays), kernel) else None


def _array(values, scale, dtype):
    """Return Gaussian integers over a scale as an array; not always exact, so to be checked."""
    if dtype.kind in "biu":
        return np.array([real for real, _ in values], dtype)
    try:
        parts = np.array([(real / scale, imag / scale) for real, imag in values])
    except OverflowError:
        return np.full(len(values), np.nan, dtype)
    return (parts @ [1, 1j] if dtype.kind == "c" else parts[:, 0]).astype(dtype)


def _error(kernel, terms):
    values = in_double(kernel)
    rebuilt = sum(outer([in_double(factor) for factor in term]) for term in terms)
    peak = power_above(values)
    return float(np.linalg.norm((values - rebuilt) / peak) / np.linalg.norm(values / peak))
