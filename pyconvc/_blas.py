"""The threads of SciPy's BLAS: one while tiles of ours run side by side.

The number is the BLAS library's own and holds for the whole process, so it is set when the first call
of ours begins and set back when the last one ends.
"""

import ctypes
import functools
import threading
from contextlib import contextmanager

import scipy.linalg.cython_blas

__all__ = ["can_be_single", "single"]

# How libraries call the two functions: OpenBLAS (in SciPy's wheels, of a distribution), MKL, BLIS.
NAMES = (
    ("scipy_openblas_get_num_threads", "scipy_openblas_set_num_threads"),
    ("scipy_openblas_get_num_threads64_", "scipy_openblas_set_num_threads64_"),
    ("openblas_get_num_threads", "openblas_set_num_threads"),
    ("MKL_Get_Max_Threads", "MKL_Set_Num_Threads"),
    ("bli_thread_get_num_threads", "bli_thread_set_num_threads"),
)

_lock = threading.Lock()
_inside = 0
_before = 1


def can_be_single():
    """Whether the library tells, and takes, its number of threads."""
    return _functions() is not None


@contextmanager
def single():
    """One thread for each call of BLAS, where the library can be told so."""
    global _inside, _before
    if not can_be_single():
        yield
        return
    get, put = _functions()
    with _lock:
        if not _inside:
            _before = get()
            put(1)
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                put(_before)


@functools.cache
def _functions():
    """The library's functions, found among what SciPy's module is linked with."""
    library = ctypes.CDLL(scipy.linalg.cython_blas.__file__)
    for names in NAMES:
        if all(hasattr(library, name) for name in names):
            return tuple(getattr(library, name) for name in names)
    return None
