# SPDX-License-Identifier: BSD-3-Clause
"""What computes a convolution layer: one function for each method."""

import functools

from .. import _choose
from . import _passes


@functools.lru_cache(maxsize=1024)
def forward(p, dtype, method):
    """The function that computes the convolution `p` in `dtype`, by name or the one that is fastest.

    It takes what `_passes.correlate` takes. Modules that need scipy are imported here, at first use.
    """
    chosen = _choose.layer(p, dtype, method).method
    if chosen == "gemm":
        from ._matrix import correlate
    elif chosen == "fft":
        from ._spectral import correlate, correlate_if_safe

        correlate = correlate if method == "fft" else correlate_if_safe
    else:
        correlate = _passes.correlate
    return correlate
