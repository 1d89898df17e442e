"""Kernels by name, from numbers on the command line, or from a .npy file, of any rank.

Kernels are convolved (index-reversed), so the signs here give derivatives that are positive where
the image grows brighter to the right and downwards.
"""

from __future__ import annotations

import difflib
import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pyconvc._cli.console import UsageError

LARGEST_SIZE = 2001  # taps along an axis of a named kernel
TRUNCATE = 4.0  # standard deviations kept on each side of a Gaussian, as scipy.ndimage keeps

Taps = np.ndarray


class Kernel(NamedTuple):
    """One array of taps, or one for each axis, combined as the length of the gradient."""

    name: str
    parts: tuple[Taps, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.parts[0].shape


def _outer(*rows) -> Taps:
    return functools.reduce(np.multiply.outer, map(np.asarray, rows))


def gaussian(rank: int, sigma: float) -> Taps:
    """The sampled Gaussian, of unit sum; an outer product."""
    radius = int(TRUNCATE * sigma + 0.5)
    row = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    return _outer(*[row / row.sum()] * rank)


def box(rank: int, size: int) -> Taps:
    """The mean over ``size`` samples along every axis."""
    return np.full((size,) * rank, 1.0 / size**rank)


def motion(rank: int, size: int) -> Taps:
    """The mean over ``size`` samples of a row."""
    return np.full((1,) * (rank - 1) + (size,), 1.0 / size)


def identity(rank: int) -> Taps:
    """The middle one of three samples along every axis."""
    return _outer(*[[0.0, 1, 0]] * rank)


def laplace(rank: int) -> Taps:
    """The sum of second differences: in a plane the five-point Laplacian."""
    return sum(
        _outer(*[[1.0, -2, 1] if a == axis else [0.0, 1, 0] for a in range(rank)])
        for axis in range(rank)
    )


def sharpen(rank: int, amount: float = 1.0) -> Taps:
    """The image minus ``amount`` times its Laplacian."""
    return identity(rank) - amount * laplace(rank)


def sobel(rank: int, axis: int) -> Taps:
    """The derivative along an axis times ``2 * 4**(rank - 1)``, smoothed across the others."""
    return _outer(*[[1.0, 0, -1] if a == axis % rank else [1.0, 2, 1] for a in range(rank)])


def emboss(rank: int) -> Taps:
    """Relief: the plane plus its difference across the falling diagonal."""
    relief = np.array([[2.0, 1, 0], [1, 1, -1], [0, -1, -2]])
    return relief.reshape((1,) * (rank - 2) + relief.shape)


def parse(text: str, rank: int = 2) -> Kernel:
    """The kernel that a command line names; `UsageError` says what is wrong with it."""
    name, _, parameter = text.partition(":")
    if name in _NAMED:
        taps = tuple(make(rank, text, parameter) for make in _NAMED[name](rank))
    elif text.endswith(".npy"):
        taps = (_from_file(text),)
    elif text and set(text) <= set("0123456789+-.eE,; "):
        taps = (_from_numbers(text),)
    else:
        close = difflib.get_close_matches(name, _NAMED, 1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise UsageError(f"unknown kernel {text!r}{hint} Known: {NAMES}")
    if not all(np.isfinite(part).all() for part in taps):
        raise UsageError(f"kernel {text!r} holds a number that is not finite")
    if taps[0].ndim > rank:
        raise UsageError(f"kernel {text!r} has {taps[0].ndim} axes, what is filtered has {rank}")
    return Kernel(
        text, tuple(part.reshape((1,) * (rank - part.ndim) + part.shape) for part in taps)
    )


def _plain(make: Callable[[int], Taps]):
    def build(rank: int, text: str, parameter: str) -> Taps:
        if parameter or ":" in text:
            raise UsageError(f"kernel {text!r}: {text.partition(':')[0]} takes no number")
        return make(rank)

    return build


def _sized(make: Callable[[int, int], Taps]):
    def build(rank: int, text: str, parameter: str) -> Taps:
        if not (parameter.isdecimal() and 1 <= int(parameter) <= LARGEST_SIZE):
            raise UsageError(f"kernel {text!r}: wants a whole number of taps, 1 to {LARGEST_SIZE}")
        return make(rank, int(parameter))

    return build


def _scaled(
    make: Callable[[int, float], Taps], least: float, most: float, default: float | None = None
):
    def build(rank: int, text: str, parameter: str) -> Taps:
        if default is not None and ":" not in text:
            return make(rank, default)
        try:
            value = float(parameter)
        except ValueError:
            value = math.nan
        if not least <= value <= most:
            raise UsageError(f"kernel {text!r}: wants a number from {least:g} to {most:g}")
        return make(rank, value)

    return build


def _sobel(axis: int):
    return _plain(functools.partial(sobel, axis=axis))


# What makes the parts of each, for a rank.
_NAMED = {
    "gaussian": lambda rank: (_scaled(gaussian, 0.01, 250),),
    "box": lambda rank: (_sized(box),),
    "motion": lambda rank: (_sized(motion),),
    "sharpen": lambda rank: (_scaled(sharpen, 0, 1000, default=1.0),),
    "laplace": lambda rank: (_plain(laplace),),
    "sobel-x": lambda rank: (_sobel(-1),),
    "sobel-y": lambda rank: (_sobel(-2),),
    "sobel": lambda rank: tuple(_sobel(axis) for axis in reversed(range(rank))),
    "emboss": lambda rank: (_plain(emboss),),
}
NAMES = (
    "gaussian:SIGMA, box:N, motion:N, sharpen[:AMOUNT], laplace, sobel-x, sobel-y, "
    "sobel (length of the gradient), emboss, a .npy file, or numbers such as '1,2,1;2,4,2;1,2,1'"
)


def _from_file(path: str) -> Taps:
    try:
        taps = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UsageError(f"cannot read kernel {path!r}: {error}") from error
    if taps.dtype.kind not in "biuf" or taps.size == 0 or taps.ndim == 0:
        raise UsageError(
            f"kernel {path!r} is {taps.dtype} of shape {taps.shape}: wants real numbers, "
            "one row (1-D) or more axes, not empty"
        )
    return np.atleast_2d(taps).astype(np.float64)


def _from_numbers(text: str) -> Taps:
    rows = [row.split(",") for row in text.split(";")]
    if len({len(row) for row in rows}) > 1:
        raise UsageError(f"kernel {text!r}: its rows have different lengths")
    try:
        return np.array([[float(number) for number in row] for row in rows])
    except ValueError as error:
        raise UsageError(f"kernel {text!r}: {error}") from error
