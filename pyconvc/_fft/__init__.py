"""The method `fft`: overlap-save by tiles, its cost and its error bound.

Transforms are those of the C library (`_native`) or of `scipy.fft` (`_save`, `_transform`).
"""

from ._native import NativePlan, convolve_line, places
from ._plan import Plan, plan
from ._safe import Heard, is_safe
from ._save import best_plan, overlap_save, transformed_axes
from ._threads import threads_may_call_scipy

__all__ = [
    "Heard",
    "NativePlan",
    "Plan",
    "convolve_line",
    "expected",
    "is_safe",
    "overlap_save",
    "places",
    "plan",
    "threads_may_call_scipy",
    "transformed_axes",
]


def expected(x_shape, w_shape, out_shape, axes, dtype):
    """The plan that `overlap_save` will follow, of the C library's transforms or of scipy's."""
    axes = transformed_axes(x_shape, w_shape, out_shape, axes) or axes
    return best_plan(x_shape, w_shape, out_shape, axes, dtype)
