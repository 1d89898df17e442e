# SPDX-License-Identifier: BSD-3-Clause
"""Filters over missing samples, by the sums of the definition, each computed by a plain filter."""

import numpy as np


def leave_out(filtered, x, w, *, mask=None, min_weight=0.0, normalize=True, fillvalue=0):
    """Filter `x` without its missing samples: NaN, and where `mask` is True.

    Parameters
    ----------
    filtered : callable
        ``filtered(x, w, fill)``, a filter without missing samples.
    x, w : ndarray
        Input and kernel.
    mask : array_like of bool, optional
    min_weight : float
    normalize : bool
    fillvalue : scalar
        Value beyond the ends of the input; NaN is missing.

    Returns
    -------
    ndarray
        ``sum(w v x) + m sum(w (1 - v))``, the second term only with `normalize`, where v is 1 for a
        sample that is there and else 0, and ``m = sum(|w| v x) / sum(|w| v)``; NaN where
        ``sum(|w| v)`` is 0 or less than ``min_weight * sum(|w|)``, unless all weights are 0.
    """
    if x.dtype.kind in "biu":
        x = x.astype(np.float64)
    there = ~np.isnan(x)
    if mask is not None:
        there &= ~np.asarray(mask)
    beyond = not np.isnan(fillvalue)
    fill = fillvalue if beyond else 0
    v = there.astype(x.real.dtype)
    present = np.where(there, x, x.dtype.type(0))
    size = np.abs(w)
    total = filtered(np.ones_like(v), size, 1)
    weight = filtered(v, size, float(beyond))
    y = filtered(present, w, fill)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = filtered(present, size, fill) / weight
        share = filtered(1 - v, w, 1 - float(beyond))
        if normalize:
            y = np.where(share == 0, y, y + mean * share)
        lacking = (total > 0) & ((weight <= 0) | (weight / total < min_weight))
    return np.where(lacking, y.dtype.type(np.nan), y)
