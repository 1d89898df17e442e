""".npy files by rows: read and written without being mapped, so that memory holds a band alone."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


class Rows:
    """The rows of a .npy file: indexed with an array of their numbers, it reads those.

    `ValueError` for what is no such file, or a part of one.
    """

    def __init__(self, path: Path):
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            if version not in _HEADERS:
                raise ValueError(f"version {version} of .npy, which is for records")
            self.shape, self.transposed, self.dtype = _HEADERS[version](file)
            self._offset = file.tell()
        self._path = path
        if not self.dtype.hasobject and path.stat().st_size < self._offset + self.nbytes:
            raise ValueError(f"it ends before the {self.nbytes} bytes of shape {self.shape}")

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    def with_channel(self) -> Rows:
        """The same rows with a last axis of one channel."""
        self.shape = (*self.shape, 1)
        return self

    def __getitem__(self, numbers: np.ndarray) -> np.ndarray:
        """Runs of neighbouring rows are read at once."""
        row = math.prod(self.shape[1:])
        result = np.empty((len(numbers), *self.shape[1:]), self.dtype)
        with self._path.open("rb") as file:
            at = 0
            for run in np.split(numbers, np.flatnonzero(np.diff(numbers) != 1) + 1):
                file.seek(self._offset + int(run[0]) * row * self.dtype.itemsize)
                part = result[at : at + len(run)]
                if file.readinto(part.data.cast("B")) != part.nbytes:
                    raise ValueError(f"{self._path}: it grew shorter")
                at += len(run)
        return result


class NewRows:
    """A new .npy file of a shape and dtype, to be written row by row."""

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: np.dtype):
        self._path, self._row_bytes = path, math.prod(shape[1:]) * dtype.itemsize
        description = np.lib.format.dtype_to_descr(dtype)
        header = {"descr": description, "fortran_order": False, "shape": shape}
        with path.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            self._offset = file.tell()
            file.truncate(self._offset + shape[0] * self._row_bytes)

    def write(self, first: int, rows: np.ndarray) -> None:
        """Put rows, from number `first` on."""
        with self._path.open("r+b") as file:
            file.seek(self._offset + first * self._row_bytes)
            file.write(np.ascontiguousarray(rows).data.cast("B"))
