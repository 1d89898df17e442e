"""What a benchmark case is, and the peers that one may be timed against."""

from __future__ import annotations

import functools
import importlib
import os
from collections.abc import Callable
from types import ModuleType
from typing import Protocol

import numpy as np

Call = Callable[[], np.ndarray]


class Case(Protocol):
    """One row: work of fixed inputs that pyconvc and its peers can all do."""

    family: str
    name: str

    @property
    def tolerance(self) -> float:
        """Allowed largest difference, relative to the largest magnitude of the result."""

    @property
    def flops(self) -> int:
        """Additions and multiplications of the sum as it is defined; 0 where there is none."""

    @property
    def bytes(self) -> int:
        """Of all inputs and the result."""

    def libraries(self) -> list[str]:
        """``pyconvc`` and the installed peers that can do this work."""

    def calls(self) -> dict[str, Call]:
        """A call for each of the libraries, on the same inputs."""


@functools.cache
def optional(name: str) -> ModuleType | None:
    """The module, or None where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def _torch() -> ModuleType | None:
    """PyTorch, whose idle threads leave the processor to whose turn it is."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    return optional("torch")


def _onnxruntime() -> ModuleType | None:
    """Only with onnx, by which its models are made."""
    return optional("onnx") and optional("onnxruntime")


# Names on the command line, in the order of the table's columns.
PEERS = {
    "scipy": functools.partial(optional, "scipy"),
    "numpy": functools.partial(optional, "numpy"),
    "opencv": functools.partial(optional, "cv2"),
    "torch": _torch,
    "onnxruntime": _onnxruntime,
}
TOLERANCE = {"f": {4: 2e-5, 8: 1e-12}, "c": {8: 2e-5, 16: 1e-12}}


def tolerance_of(dtype: np.dtype) -> float:
    """The usual tolerance: none for integers, rounding in the sample's precision for the rest."""
    return TOLERANCE.get(dtype.kind, {}).get(dtype.itemsize, 0.0)


def per_axis(value: int | tuple[int, ...], rank: int) -> tuple[int, ...]:
    """One number for each axis."""
    return value if isinstance(value, tuple) else (value,) * rank


def random(rng: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Normal random numbers; integers from 0 to 99."""
    if dtype.kind in "iu":
        return rng.integers(0, 100, shape, dtype=dtype)
    values = rng.standard_normal(shape)
    if dtype.kind == "c":
        values = values + 1j * rng.standard_normal(shape)
    return values.astype(dtype)
