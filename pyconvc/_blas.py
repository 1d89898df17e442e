"""The threads of the BLAS libraries of NumPy and SciPy: one while tiles of ours run side by side.

The number is a library's own and holds for the whole process, so it is set when the first call
of ours begins and set back when the last one ends.
"""

import ctypes
import functools
import threading
from contextlib import contextmanager

import numpy.linalg._umath_linalg
import scipy.linalg.cython_blas

__all__ = ["can_be_single", "counts", "single"]

# How libraries call the two functions: OpenBLAS (in wheels, of a distribution), MKL, BLIS.
NAMES = (
    ("scipy_openblas_get_num_threads", "scipy_openblas_set_num_threads"),
    ("scipy_openblas_get_num_threads64_", "scipy_openblas_set_num_threads64_"),
    ("openblas_get_num_threads", "openblas_set_num_threads"),
    ("MKL_Get_Max_Threads", "MKL_Set_Num_Threads"),
    ("bli_thread_get_num_threads", "bli_thread_set_num_threads"),
)

_lock = threading.Lock()
_inside = 0
_before = ()


@contextmanager
def single():
    """One thread for each call of BLAS, where the libraries can be told so."""
    global _inside, _before
    with _lock:
        if not _inside:
            _before = counts()
            _put(1 for _ in _before)
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                _put(_before)


def can_be_single():
    """Whether SciPy's library takes its number of threads."""
    return bool(_functions(scipy.linalg.cython_blas))


def counts():
    """Threads of each library that tells them."""
    return [get() for get, _ in _all_functions()]


def _put(numbers):
    for (_, put), number in zip(_all_functions(), numbers, strict=True):
        put(number)


def _all_functions():
    for module in (scipy.linalg.cython_blas, numpy.linalg._umath_linalg):
        yield from _functions(module)


@functools.cache
def _functions(module):
    """The library's two functions, found among what a module is linked with, or none."""
    library = ctypes.CDLL(module.__file__)
    for names in NAMES:
        if all(hasattr(library, name) for name in names):
            return (tuple(getattr(library, name) for name in names),)
    return ()
