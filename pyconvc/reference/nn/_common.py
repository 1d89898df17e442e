# SPDX-License-Identifier: BSD-3-Clause
"""What the families of pyconvc.reference.nn share."""

import functools

import numpy as np


def of_ranks_1_2_3(function):
    """The three functions that fix the first argument, the rank, of a function."""
    functions = []
    for rank in (1, 2, 3):
        fixed = functools.partial(function, rank)
        functools.update_wrapper(fixed, function)
        fixed.__name__ = function.__name__.replace("_nd", f"{rank}d")
        del fixed.__wrapped__  # its signature has the rank in it
        functions.append(fixed)
    return functions


def batched(a, rank):
    """`a` as (N, C, *space), and a function that takes an added N away again."""
    a = np.asarray(a)
    if a.ndim == rank + 2:
        return a, lambda result: result
    if a.ndim == rank + 1:
        return a[None], lambda result: result[0]
    raise ValueError(f"shape {a.shape}: need (C, *space) or (N, C, *space), {rank} axes of space")


def batched_shape(shape, rank):
    """`shape` with the N that `batched` adds."""
    return tuple(shape) if len(shape) == rank + 2 else (1, *shape)
