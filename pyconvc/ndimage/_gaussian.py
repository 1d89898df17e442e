"""Weights of the Gaussian and its derivatives, rounded as scipy rounds them."""

import functools
import numbers

import numpy as np

from .. import _check
from ._arguments import LARGEST

MOST_DERIVATIVES = 1000  # beyond which no float could hold them
KEPT = 512  # samples on either side of windows whose weights are kept for later calls


def radius(sigma, truncate, radius):
    """Samples on either side of the middle one."""
    if radius is None:
        radius = _check.number("truncate", truncate) * sigma + 0.5
        if not radius <= LARGEST:
            raise ValueError(f"truncate={truncate!r}: of sigma={sigma} it is too far")
        return int(radius)
    if not isinstance(radius, numbers.Integral) or radius < 0:
        raise ValueError(f"radius={radius!r}: Radius must be a nonnegative integer")
    if radius > LARGEST:
        raise ValueError(f"radius={radius}: must be at most {LARGEST}")
    return int(radius)


def weights(sigma, order, radius):
    """The derivative of the given order of a Gaussian whose samples add up to 1.

    With g the Gaussian and q_n a polynomial, the derivative of order n is q_n g, where
    ``q_{n+1} = q_n' - q_n x / sigma**2``: a matrix on the coefficients of q_n.
    """
    order = _check.index("order", order)
    if not 0 <= order <= MOST_DERIVATIVES:
        allowed = f"order must be non-negative, and at most {MOST_DERIVATIVES}"
        raise ValueError(f"order={order}: {allowed}")
    return (_weights if radius <= KEPT else _weights.__wrapped__)(sigma, order, radius)


@functools.lru_cache(maxsize=256, typed=True)
def _weights(sigma, order, radius):
    variance = sigma * sigma
    x = np.arange(-radius, radius + 1)
    g = np.exp(-0.5 / variance * x**2)
    g = g / g.sum()
    if order == 0:
        return g
    powers = np.arange(order + 1)
    derive = np.diag(powers[1:], 1) + np.diag(np.full(order, 1.0) / -variance, -1)
    q = np.zeros(order + 1)
    q[0] = 1
    for _ in range(order):
        q = derive.dot(q)
    return (x[:, None] ** powers).dot(q) * g
