# SPDX-License-Identifier: BSD-3-Clause
"""The specification of pyconvc: every operation in plain NumPy.

Readable before fast, and exact in every dtype: integers wrap as NumPy's do, bool is the OR of
ANDs, complex is complex, floats accumulate in their own precision unless told otherwise. Nothing
here shares code with the kernels, so the tests compare the two.

This module holds the three passes on arrays ``(N, channels, *space)``; `pyconvc.reference.signal`
holds the public operations built on them.
"""

from . import signal
from ._passes import (
    BOUNDARIES,
    bias_grad,
    boundary_index,
    correlate,
    input_grad,
    output_size,
    weight_grad,
)

__all__ = [
    "BOUNDARIES",
    "bias_grad",
    "boundary_index",
    "correlate",
    "input_grad",
    "output_size",
    "signal",
    "weight_grad",
]
