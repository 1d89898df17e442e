"""Filter a picture (8- or 16-bit, grey or colour) or a .npy array of any rank.

  python -m pyconvc filter photo.jpg soft.png --kernel gaussian:2
  python -m pyconvc filter scan.tif edges.npy --kernel sobel-x --dtype float32
  python -m pyconvc filter in.png out.png --kernel "1,2,1;2,4,2;1,2,1" --normalize
  python -m pyconvc filter volume.npy smooth.npy --kernel gaussian:1.5 --nan-policy omit

Each colour is filtered alone; alpha is copied. 8- and 16-bit samples are computed in float32, wider
integers in float64; integer results are rounded to nearest and clipped to the sample type's range.
"""

from __future__ import annotations

import argparse
import functools
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pyconvc import signal
from pyconvc._cli import images, kernels
from pyconvc._cli.console import UsageError, progress

HELP = "filter a picture or a .npy array of any rank"
BAND_SAMPLES = 1 << 22  # of one channel, computed at once: 16 MiB of float32
HALOS = 16  # times the rows of a window, if there is memory for them
MEMORY = 512  # MiB that a band and its result may take where nothing is said

# How numpy.pad extends row numbers by each boundary; -1 marks a row of fillvalue.
_PAD = {
    "fill": {"mode": "constant", "constant_values": -1},
    "nearest": {"mode": "edge"},
    "mirror": {"mode": "reflect"},
    "symm": {"mode": "symmetric"},
    "wrap": {"mode": "wrap"},
}


class Band(NamedTuple):
    """Result rows [start, stop), and the input rows that they need."""

    start: int
    stop: int
    rows: np.ndarray


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("input", metavar="IN", type=Path)
    add("output", metavar="OUT", type=Path)
    add("--kernel", required=True, metavar="K", help=kernels.NAMES)
    add("--mode", choices=("same", "full", "valid"), default="same")
    add("--boundary", choices=tuple(_PAD), default="symm")
    add("--fillvalue", type=float, default=0.0, help="beyond the edges, with --boundary fill")
    add("--method", choices=("auto", "direct", "separable", "fft"), default="auto")
    add("--workers", type=int, help="threads; default: see info")
    add("--memory", type=int, default=MEMORY, metavar="MIB", help="that a band may take")
    add("--nan-policy", choices=("propagate", "omit"), default="propagate", help="what NaN means")
    add("--normalize", action="store_true", help="divide the kernel by the sum of its taps")
    add("--offset", type=float, default=0.0, help="added to each result before rounding")
    add("--dtype", help="of the result, such as float32; default: that of IN")


def run(arguments: argparse.Namespace) -> None:
    picture = images.read(arguments.input)
    kernel = kernels.parse(arguments.kernel, len(picture.space))
    kernel = _normalized(kernel, arguments.normalize)
    dtype = _result_dtype(picture, arguments.dtype)
    budget = _budget(arguments.memory, picture, kernel, dtype)
    bands = plan(picture.space, kernel.shape, arguments.mode, arguments.boundary, budget)
    _check_alpha(picture, arguments.mode)
    with images.reserve(arguments.output) as temporary:
        shape = _result_shape(picture, kernel, arguments.mode)
        output = images.Output(arguments.output, temporary, shape, dtype, picture.metadata)
        _fill(output, shape, dtype, picture, kernel, bands, arguments)
        output.save()


def _sample_bytes(picture: images.Picture, kernel: kernels.Kernel, dtype: np.dtype):
    """Bytes for each sample of a band's input, as read and to compute with, and of its result."""
    stored, channels = picture.samples.dtype, picture.samples.shape[-1]
    working = images.working_dtype(stored)
    parts = len(kernel.parts)
    read = channels * stored.itemsize + (working.itemsize if working != stored else 0)
    computed = parts + (2 if parts > 1 else 0) + (2 if dtype.kind in "biu" else 0)
    return read, channels * dtype.itemsize + working.itemsize * computed


def _budget(memory: int, picture: images.Picture, kernel: kernels.Kernel, dtype: np.dtype) -> int:
    """Rows of a band's input, halo included, for which there is memory."""
    row, taps = math.prod(picture.space[1:]), kernel.shape[0]
    read, computed = (row * n for n in _sample_bytes(picture, kernel, dtype))
    rows = ((memory << 20) - (taps - 1) * read) // (read + computed)
    if rows < 1:
        needed = -(-(taps * read + computed) >> 20)
        raise UsageError(f"--memory {memory}: the {taps} rows of a window take {needed} MiB")
    return rows + taps - 1


def plan(shape, kernel, mode: str, boundary: str, budget: int) -> list[Band]:
    """Cut a result into bands of rows, each with the rows of input (kernel's halo included).

    No band has more than `budget` rows of input.
    """
    if mode == "valid" and any(k > n for k, n in zip(kernel, shape, strict=True)):
        raise UsageError(f"--mode valid: a kernel of {kernel} exceeds the picture of {shape}")
    halo = kernel[0] - 1
    before, after = {"full": (halo, halo), "same": (kernel[0] // 2, halo // 2)}.get(mode, (0, 0))
    rows = np.pad(np.arange(shape[0]), (before, after), **_PAD[boundary])
    height = _band_height(math.prod(shape[1:]), kernel[0], budget)
    total = rows.size - halo
    return [
        Band(start, min(start + height, total), rows[start : min(start + height, total) + halo])
        for start in range(0, total, height)
    ]


def _band_height(row: int, taps: int, budget: int) -> int:
    """Rows of `row` samples in a band, made larger than its halo, which is read twice."""
    return min(max(HALOS * taps, BAND_SAMPLES // row), budget - (taps - 1))


def _fill(output, shape, dtype, picture, kernel, bands: list[Band], arguments) -> None:
    """Each band of the result; rows beyond the picture's edges are taken by number."""
    space, channels = shape[1 : len(picture.space)], picture.samples.shape[-1]
    with progress(arguments.input.name, len(bands) * picture.colours) as advance:
        for band in bands:
            result = _band(picture, kernel, band, (*space, channels), dtype, arguments, advance)
            output.write(band.start, result.reshape(len(result), *shape[1:]))
            del result  # before the next band is read


def _band(picture, kernel, band: Band, shape, dtype, arguments, advance) -> np.ndarray:
    """The rows of the result that a band has."""
    slab = picture.samples[np.maximum(band.rows, 0)]
    result = np.empty((band.stop - band.start, *shape), dtype)
    for channel in range(picture.colours):
        values = _filter_band(slab[..., channel], kernel, band, arguments)
        values += arguments.offset
        result[..., channel] = images.settle(values, dtype)
        advance()
    if picture.has_alpha:
        result[..., -1] = picture.samples[np.arange(band.start, band.stop)][..., -1]
    return result


def _filter_band(slab: np.ndarray, kernel, band: Band, arguments) -> np.ndarray:
    """One channel's band; columns beyond the edges by rule."""
    slab = slab.astype(images.working_dtype(slab.dtype), copy=False)
    slab[band.rows == -1] = arguments.fillvalue
    parts = [_convolve(slab, taps, arguments) for taps in kernel.parts]
    return parts[0] if len(parts) == 1 else functools.reduce(np.hypot, map(np.abs, parts))


def _convolve(slab: np.ndarray, taps: np.ndarray, arguments) -> np.ndarray:
    """The outputs whose windows have all their rows in the slab."""
    mode, height = arguments.mode, taps.shape[0]
    first = {"full": height - 1, "same": height // 2, "valid": 0}[mode]
    try:
        return signal._filter(
            "convolve",
            slab,
            taps.astype(slab.dtype),
            mode,
            arguments.method,
            arguments.boundary,
            arguments.fillvalue,
            None,
            arguments.workers,
            None,
            missing=(arguments.nan_policy, None, 0.0, True),
            rows=slice(first, first + len(slab) - (height - 1)),
            convolution=True,
        )
    except (ValueError, TypeError, MemoryError) as error:
        raise UsageError(str(error)) from error


def _normalized(kernel: kernels.Kernel, wanted: bool) -> kernels.Kernel:
    if not wanted:
        return kernel
    if any(part.sum() == 0 for part in kernel.parts):
        raise UsageError(f"--normalize: the taps of {kernel.name!r} sum to zero")
    return kernel._replace(parts=tuple(part / part.sum() for part in kernel.parts))


def _result_dtype(picture: images.Picture, name: str | None) -> np.dtype:
    own = picture.samples.dtype.newbyteorder("=")
    if name is None:
        return own
    try:
        dtype = np.dtype(name)
    except TypeError as error:
        raise UsageError(f"--dtype {name}: not a sample type") from error
    if dtype.kind not in "biufc" or (own.kind == "c" and dtype.kind != "c"):
        raise UsageError(f"--dtype {name}: cannot hold filtered {own} samples")
    if picture.has_alpha and dtype != own:
        raise UsageError(f"--dtype {name}: a picture with alpha keeps its type, {own}")
    return dtype


def _check_alpha(picture: images.Picture, mode: str) -> None:
    if picture.has_alpha and mode != "same":
        raise UsageError(f"--mode {mode}: a picture with alpha keeps its size; use same")


def _result_shape(picture: images.Picture, kernel: kernels.Kernel, mode: str) -> tuple[int, ...]:
    sign = {"full": 1, "same": 0, "valid": -1}[mode]
    size = tuple(n + sign * (k - 1) for n, k in zip(picture.space, kernel.shape, strict=True))
    return (*size, picture.samples.shape[-1]) if picture.stacked else size
