"""Where object and longdouble arrays go: scipy's own functions.

They are taken from a private copy of scipy's module, so they are scipy's also while ours stand in
for them under scipy's names.
"""

import functools
import importlib.util

from . import _check

__all__ = ["call", "ndimage", "takes"]


def takes(*arrays):
    """Whether a dtype here is one that only scipy computes."""
    return any(
        a.dtype.kind == "O"
        or (a.dtype.char in "gG" and a.dtype.itemsize > 16 // (2 - (a.dtype.kind == "c")))
        for a in arrays
    )


@functools.cache
def _module(name):
    spec = importlib.util.find_spec(name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def ndimage(name):
    """scipy.ndimage's function of that name."""
    return getattr(_module("scipy.ndimage._filters"), name)


def call(name, in1, in2, mode, boundary, fillvalue, axes, out):
    """scipy's function of that name; arguments that it lacks are refused unless they have their
    default.
    """
    function = getattr(_module("scipy.signal._signaltools"), name, None)
    where = f"dtypes {in1.dtype} and {in2.dtype} are computed by scipy.signal"
    if function is None:
        raise TypeError(f"{name}: {where}, which has no such function")
    options = {}
    if name.endswith("2d"):
        options = {"boundary": boundary, "fillvalue": fillvalue}
    else:
        _refuse("boundary", boundary, "fill", f"{where}, whose {name} has none")
        _refuse("fillvalue", fillvalue, 0, f"{where}, whose {name} has none")
    if name in ("convolve", "correlate"):
        _refuse("axes", axes, None, f"{where}, whose {name} has none")
    elif axes is not None:
        options["axes"] = axes
    result = function(in1, in2, mode, **options)
    if out is None:
        return result
    _check.output(out, result.shape, result.dtype, in1=in1, in2=in2)
    out[...] = result
    return out


def _refuse(argument, value, default, reason):
    if value is not default and value != default:
        raise TypeError(f"{argument}={value!r}: {reason}")
