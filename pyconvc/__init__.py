"""Convolution on the CPU for NumPy arrays.

`pyconvc.signal` has the functions of scipy.signal, call for call; its names are also here:
``pyconvc.convolve`` is ``pyconvc.signal.convolve``. `pyconvc.ndimage` has the linear filters of
scipy.ndimage. Submodules are loaded when first used.
"""

import importlib

try:
    from ._core import has_openmp, isa, isa_available
except ModuleNotFoundError as error:
    raise ImportError(
        "pyconvc._core is missing: this pyconvc is a checkout that was not compiled. "
        "Run from another folder to use an installed one, or compile in place: "
        "python setup.py build_ext --inplace"
    ) from error
from ._denormals import flush_denormals
from ._threads import get_num_threads, set_num_threads

__version__ = "0.1.0"

_SUBMODULES = ("arithmetic", "ndimage", "nn", "reference", "signal")
_SIGNAL = (
    "choose",
    "choose_conv_method",
    "convolve",
    "convolve1d",
    "convolve2d",
    "correlate",
    "correlate2d",
    "correlation_lags",
    "fftconvolve",
    "oaconvolve",
)

__all__ = [
    "flush_denormals",
    "get_num_threads",
    "has_openmp",
    "isa",
    "isa_available",
    "set_num_threads",
    *_SIGNAL,
    *_SUBMODULES,
]


def __getattr__(name):
    if name in _SUBMODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name in _SIGNAL:
        value = getattr(importlib.import_module(f"{__name__}.signal"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
