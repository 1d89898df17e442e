"""Kernels by name, from numbers on the command line, or from a .npy file.

Kernels are convolved (index-reversed), so the signs here give derivatives that are positive where
the image grows brighter to the right and downwards.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pyconvc._cli.console import UsageError

LARGEST_SIZE = 2001  # taps along an axis of a named kernel
TRUNCATE = 4.0  # standard deviations kept on each side of a Gaussian, as scipy.ndimage keeps

Taps = np.ndarray


class Kernel(NamedTuple):
    """One array of taps, or two whose results are combined as the length of the gradient."""

    name: str
    parts: tuple[Taps, ...]

    @property
    def shape(self) -> tuple[int, int]:
        return self.parts[0].shape


def gaussian(sigma: float) -> Taps:
    """The sampled Gaussian, of unit sum; an outer product."""
    radius = int(TRUNCATE * sigma + 0.5)
    row = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    row /= row.sum()
    return np.outer(row, row)


def box(size: int) -> Taps:
    """The mean over ``size`` by ``size`` samples."""
    return np.full((size, size), 1.0 / size**2)


def motion(size: int) -> Taps:
    """The mean over ``size`` samples of a row."""
    return np.full((1, size), 1.0 / size)


def laplace() -> Taps:
    """The five-point Laplacian."""
    return np.array([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]])


def sharpen(amount: float = 1.0) -> Taps:
    """The image minus ``amount`` times its Laplacian."""
    identity = np.array([[0.0, 0, 0], [0, 1, 0], [0, 0, 0]])
    return identity - amount * laplace()


def sobel_x() -> Taps:
    """Eight times the derivative along a row, smoothed across rows."""
    return np.outer([1.0, 2, 1], [1.0, 0, -1])


def sobel_y() -> Taps:
    """Eight times the derivative down a column, smoothed across columns."""
    return sobel_x().T


def emboss() -> Taps:
    """Relief: the image plus its difference across the falling diagonal."""
    return np.array([[2.0, 1, 0], [1, 1, -1], [0, -1, -2]])


def parse(text: str) -> Kernel:
    """The kernel that a command line names; `UsageError` says what is wrong with it."""
    name, _, parameter = text.partition(":")
    if name in _NAMED:
        taps = tuple(make(text, parameter) for make in _NAMED[name])
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
    return Kernel(text, taps)


def _plain(make: Callable[[], Taps]):
    def build(text: str, parameter: str) -> Taps:
        if parameter or ":" in text:
            raise UsageError(f"kernel {text!r}: {text.partition(':')[0]} takes no number")
        return make()

    return build


def _sized(make: Callable[[int], Taps]):
    def build(text: str, parameter: str) -> Taps:
        if not (parameter.isdecimal() and 1 <= int(parameter) <= LARGEST_SIZE):
            raise UsageError(f"kernel {text!r}: wants a whole number of taps, 1 to {LARGEST_SIZE}")
        return make(int(parameter))

    return build


def _scaled(make: Callable[[float], Taps], least: float, most: float, default: float | None = None):
    def build(text: str, parameter: str) -> Taps:
        if default is not None and ":" not in text:
            return make(default)
        try:
            value = float(parameter)
        except ValueError:
            value = math.nan
        if not least <= value <= most:
            raise UsageError(f"kernel {text!r}: wants a number from {least:g} to {most:g}")
        return make(value)

    return build


_NAMED = {
    "gaussian": (_scaled(gaussian, 0.01, 250),),
    "box": (_sized(box),),
    "motion": (_sized(motion),),
    "sharpen": (_scaled(sharpen, 0, 1000, default=1.0),),
    "laplace": (_plain(laplace),),
    "sobel-x": (_plain(sobel_x),),
    "sobel-y": (_plain(sobel_y),),
    "sobel": (_plain(sobel_x), _plain(sobel_y)),
    "emboss": (_plain(emboss),),
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
    if taps.dtype.kind not in "biuf" or taps.size == 0 or taps.ndim not in (1, 2):
        raise UsageError(
            f"kernel {path!r} is {taps.dtype} of shape {taps.shape}: wants real numbers, "
            "1-D (one row) or 2-D, not empty"
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
