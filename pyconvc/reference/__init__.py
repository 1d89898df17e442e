# SPDX-License-Identifier: BSD-3-Clause
"""The specification of pyconvc: every operation in plain NumPy.

Readable before fast, and exact in every dtype: integers wrap as NumPy's do, bool is the OR of
ANDs, complex is complex, floats accumulate in their own precision unless told otherwise. Nothing
here shares code with the kernels, so the tests compare the two.

This module holds the three passes on arrays ``(N, channels, *space)``; `pyconvc.reference.signal`,
`pyconvc.reference.ndimage` and `pyconvc.reference.nn` hold the public operations built on them.
"""

from . import ndimage, nn, signal
from ._boundary import BOUNDARIES, boundary_index
from ._passes import bias_grad, correlate, input_grad, weight_grad
from ._problem import output_size

__all__ = [
    "BOUNDARIES",
    "bias_grad",
    "boundary_index",
    "correlate",
    "input_grad",
    "ndimage",
    "nn",
    "output_size",
    "signal",
    "weight_grad",
]
