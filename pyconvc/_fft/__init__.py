"""The method `fft`: overlap-save by tiles through `scipy.fft`, its cost and its error bound."""

from ._plan import Plan, plan
from ._safe import is_safe
from ._save import overlap_save

__all__ = ["Plan", "is_safe", "overlap_save", "plan"]
