"""Picture files and .npy arrays in and out; Pillow reads and writes the pictures.

A picture is samples of shape (rows, columns, channels), a volume of shape (*space, 1). Two or four
channels end in alpha, which no filter touches. Integers are rounded to nearest (ties to even) and
clipped to their range.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pyconvc._cli.arrays import NewRows, Rows
from pyconvc._cli.console import UsageError

_DIRECT = ("L", "LA", "RGB", "RGBA", "I", "F")  # Pillow modes whose samples are filtered as stored
_KEPT = ("icc_profile", "exif", "dpi")


class Picture(NamedTuple):
    """Samples (*space, channels), whether the file had a channel axis, and its metadata.

    Samples are indexed with an array of row numbers.
    """

    samples: np.ndarray | Rows
    stacked: bool
    metadata: dict

    @property
    def space(self) -> tuple[int, ...]:
        """Sizes along the axes that are filtered."""
        return self.samples.shape[:-1]

    @property
    def has_alpha(self) -> bool:
        """Whether the last channel is not filtered."""
        return self.colours < self.samples.shape[-1]

    @property
    def colours(self) -> int:
        """Channels that are filtered: all but alpha."""
        channels = self.samples.shape[-1]
        return channels - (channels in (2, 4))


def read(path: Path) -> Picture:
    """Open a picture (.npy stays on disk) or raise `UsageError`."""
    array, metadata = _read_array(path) if _is_array(path) else _read_picture(path)
    if array.dtype.kind not in "biufc":
        raise UsageError(f"{path}: samples are {array.dtype}, not numbers")
    if array.size == 0:
        raise UsageError(f"{path}: empty, shape {array.shape}")
    if array.ndim < 2:
        raise UsageError(f"{path}: shape {array.shape}; wants two axes or more")
    if array.ndim == 3 and array.shape[2] <= 4:
        return Picture(array, True, metadata)
    alone = array.with_channel() if isinstance(array, Rows) else array[..., np.newaxis]
    return Picture(alone, False, metadata)


def working_dtype(dtype: np.dtype) -> np.dtype:
    """What samples are computed in: float32 holds 8- and 16-bit ones, float64 wider integers."""
    return np.result_type(dtype, np.float32)


def settle(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Values as samples of `dtype`: integers rounded and clipped to its range, NaN to zero."""
    if dtype.kind not in "biu":
        return values.astype(dtype, copy=False)
    low, high = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    values = np.where(np.isnan(values), 0, np.rint(values))
    top = values.dtype.type(high)
    if int(top) > high:  # 2**63 - 1 lies between two floats: take the lower
        top = np.nextafter(top, values.dtype.type(0))
    return np.clip(values, low, top).astype(dtype)


class Output:
    """Where a result goes: rows to `write`, and `save`, which completes the file at once.

    The file appears under its name only when whole: it is written beside it and renamed.
    """

    def __init__(self, path: Path, temporary: Path, shape, dtype, metadata: dict):
        self._path, self._temporary, self._metadata = path, temporary, metadata
        try:
            if _is_array(path):
                self._rows = NewRows(temporary, shape, dtype)
            else:
                self._samples = np.empty(shape, dtype)
        except OSError as error:
            raise UsageError(f"cannot write {path}: {_first_line(error)}") from error

    def write(self, first: int, rows: np.ndarray) -> None:
        if not _is_array(self._path):
            self._samples[first : first + len(rows)] = rows
            return
        try:
            self._rows.write(first, rows)
        except OSError as error:
            raise UsageError(f"cannot write {self._path}: {_first_line(error)}") from error

    def save(self) -> None:
        if not _is_array(self._path):
            _write_picture(self._path, self._temporary, self._samples, self._metadata)
        os.replace(self._temporary, self._path)


@contextlib.contextmanager
def reserve(path: Path) -> Iterator[Path]:
    """A new file beside `path` to write into; gone afterwards unless it was renamed."""
    if not _is_array(path):
        _writer_of(path)
    if path.is_dir():
        raise UsageError(f"cannot write {path}: is a directory")
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        temporary.open("xb").close()
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from error
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _is_array(path: Path) -> bool:
    return path.suffix.lower() == ".npy"


def _pillow():
    try:
        import PIL.Image
    except ImportError:
        raise UsageError("picture files need Pillow: pip install 'pyconvc[images]'") from None
    return PIL.Image


def _writer_of(path: Path) -> str:
    pil = _pillow()
    name = pil.registered_extensions().get(path.suffix.lower())
    if name is None or name not in pil.SAVE:
        raise UsageError(f"cannot write {path}: {path.suffix or 'no suffix'} is no picture format")
    return name


def _read_array(path: Path) -> tuple[np.ndarray | Rows, dict]:
    """Rows to read; where they do not lie together, the array mapped."""
    try:
        rows = Rows(path)
        if rows.transposed and rows.ndim > 1:
            return np.load(path, mmap_mode="r", allow_pickle=False), {}
        return rows, {}
    except (OSError, ValueError, EOFError) as error:
        raise UsageError(f"cannot read {path}: {_first_line(error)}") from error


def _read_picture(path: Path) -> tuple[np.ndarray, dict]:
    pil = _pillow()
    try:
        with pil.open(path) as image:
            _refuse_loss(path, image)
            metadata = {key: image.info[key] for key in _KEPT if key in image.info}
            return np.asarray(_plain_mode(image)), metadata
    except pil.UnidentifiedImageError as error:
        raise UsageError(f"cannot read {path}: not a picture that Pillow knows") from error
    except (OSError, ValueError, SyntaxError, pil.DecompressionBombError) as error:
        raise UsageError(f"cannot read {path}: {_first_line(error)}") from error


def _refuse_loss(path: Path, image) -> None:
    """Pillow takes several frames as one and 16-bit colour as 8-bit: refuse what would be lost."""
    if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
        raise UsageError(f"{path}: {image.n_frames} frames; wants a single picture")
    layouts = [str(tile.args) for tile in getattr(image, "tile", ())]
    if image.mode in ("LA", "RGB", "RGBA") and any(";16" in layout for layout in layouts):
        raise UsageError(f"{path}: 16-bit colour, which Pillow cuts to 8; convert it to .npy")


def _plain_mode(image):
    """The image in a mode whose samples can be weighted and added."""
    if image.mode.startswith("I;16") or (image.mode in _DIRECT and not image.has_transparency_data):
        return image
    if image.mode in ("LA", "RGBA"):
        return image
    if image.mode in ("1", "L", "La"):
        return image.convert("LA" if image.has_transparency_data else "L")
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _write_picture(path: Path, temporary: Path, samples: np.ndarray, metadata: dict) -> None:
    pil = _pillow()
    try:
        image = pil.fromarray(samples)
        image.save(temporary, format=_writer_of(path), **metadata)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UsageError(f"cannot write {path}: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return text.splitlines()[0]
