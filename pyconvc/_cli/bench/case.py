"""What a benchmark case is, and the peers that one may be timed against."""

from __future__ import annotations

import functools
import importlib
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


# Names on the command line, in the order of the table's columns.
PEERS = {
    "scipy": functools.partial(optional, "scipy.signal"),
    "numpy": functools.partial(optional, "numpy"),
    "opencv": functools.partial(optional, "cv2"),
    "torch": functools.partial(optional, "torch"),
}
TOLERANCE = {"f": {4: 2e-5, 8: 1e-12}, "c": {8: 2e-5, 16: 1e-12}}


def tolerance_of(dtype: np.dtype) -> float:
    """The usual tolerance: none for integers, rounding in the sample's precision for the rest."""
    return TOLERANCE.get(dtype.kind, {}).get(dtype.itemsize, 0.0)
