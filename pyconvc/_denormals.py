"""Subnormal numbers: computed as IEEE has them, or as zero where time matters more."""

import threading
from contextlib import contextmanager

from . import _core

__all__ = ["flush_denormals"]


@contextmanager
def flush_denormals():
    """Count subnormal numbers as zero in the direct methods until the end of the block.

    Many processors compute slowly where an operand or a result lies below the smallest normal
    number (1.2e-38 in float32); within the block, time does not depend on the data. The mode is set
    in the worker threads for the length of each call and restored after it, so code outside pyconvc
    never sees it. Blocks may be nested and used in several threads: the mode lasts until the last
    one ends.

    Examples
    --------
    >>> import numpy as np, pyconvc
    >>> tiny = np.full(40, 1e-40, np.float32)
    >>> with pyconvc.flush_denormals():
    ...     pyconvc.convolve(tiny, np.ones(3, np.float32)).max()
    np.float32(0.0)
    """
    _count(1)
    try:
        yield
    finally:
        _count(-1)


_lock = threading.Lock()  # free-threaded builds have no other


def _count(change):
    with _lock:
        _core.set_flush(change)
