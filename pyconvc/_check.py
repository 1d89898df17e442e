"""Anything -> canonical arrays, integers and names. All error texts about arguments are here.

An error names the argument, its value and what is allowed; nothing is written before the last
check.
"""

import functools
import math
import numbers
import operator

import numpy as np

from . import _core
from ._arrays import view

# Canonical boundaries, in the order of the C enumeration.
BOUNDARIES = ("constant", "replicate", "reflect", "symmetric", "circular")

# scipy.signal's names, and unambiguous ones for the rules that it lacks.
SIGNAL_BOUNDARIES = {
    "fill": 0,
    "pad": 0,
    "constant": 0,
    "edge": 1,
    "nearest": 1,
    "replicate": 1,
    "mirror": 2,
    "symm": 3,
    "symmetric": 3,
    "wrap": 4,
    "circular": 4,
}

MODES = ("full", "same", "valid")


def bad(argument, value, allowed):
    """The error for a value out of its range."""
    return ValueError(f"{argument}={value!r}: {allowed}")


def mode(value):
    """One of scipy.signal's output modes."""
    if not isinstance(value, str) or value not in MODES:
        raise bad("mode", value, "acceptable mode flags are 'valid', 'same', or 'full'")
    return value


def index(argument, value):
    """An int, of whatever type."""
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(
            f"{argument}={value!r}: cannot be interpreted as an integer, which it must be"
        ) from None


def number(argument, value):
    """A float, of whatever number it is the nearest to."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError) as error:
        kind = ValueError if isinstance(error, OverflowError) else type(error)
        raise kind(f"{argument}={value!r}: must be a real number: {error}") from None


def name(argument, value):
    """A name, of whatever."""
    if not isinstance(value, str):
        raise TypeError(f"{argument}={value!r}: must be a string")
    return value


def accumulation(value):
    """How a layer's sums are added up: None or "double"."""
    if value is not None and (not isinstance(value, str) or value != "double"):
        raise bad("accumulate", value, "must be None or 'double'")


def one_of(argument, value, allowed):
    """A member of a small set of names."""
    if not isinstance(value, str) or value not in allowed:
        raise bad(argument, value, "must be one of " + ", ".join(map(repr, allowed)))
    return value


def signal_boundaries(boundary, rank):
    """Codes of the boundary rule of each axis, from one of scipy.signal's names or one for each
    axis.
    """
    names = [boundary] * rank if isinstance(boundary, str) else boundary
    try:
        names = list(names)
    except TypeError:
        raise bad("boundary", boundary, "must be a name or a sequence of names") from None
    if len(names) != rank:
        raise bad("boundary", boundary, f"must be one name, or one for each of {rank} axes")
    for name in names:
        if name == "reflect":
            raise bad(
                "boundary",
                boundary,
                "ambiguous: say 'symm' (edge repeated) or 'mirror' (edge not repeated)",
            )
        if not isinstance(name, str) or name not in SIGNAL_BOUNDARIES:
            raise bad(
                "boundary", boundary, "must be one of " + ", ".join(map(repr, SIGNAL_BOUNDARIES))
            )
    return tuple(SIGNAL_BOUNDARIES[name] for name in names)


def axes(value, rank, name="axes"):
    """Distinct axes, counted from the front, in the order given; None is all of them."""
    if value is None:
        return tuple(range(rank))
    given = value if isinstance(value, (tuple, list, np.ndarray)) else (value,)
    result = []
    for axis in given:
        try:
            axis = operator.index(axis)
        except TypeError:
            raise bad(name, value, f"{name} must be a scalar or iterable of integers") from None
        if not -rank <= axis < rank:
            raise bad(name, value, f"{name} exceeds dimensionality of input, which is {rank}")
        result.append(axis % rank)
    if not result:
        raise bad(name, value, "when provided, axes cannot be empty")
    if len(set(result)) != len(result):
        raise bad(name, value, f"all {name} must be unique")
    return tuple(result)


def axis(value, rank):
    """One axis, counted from the front."""
    try:
        value = operator.index(value)
    except TypeError:
        raise bad("axis", value, "must be an int") from None
    return axes(value, rank, name="axis")[0]


def numeric(**arrays):
    """The arguments as arrays; strings, dates and records are refused."""
    result = []
    for name, value in arrays.items():
        array = view(value, name)
        if array.dtype.kind == "V" and array.dtype.isbuiltin == 2:  # as of the package ml_dtypes
            raise TypeError(f"{name}: dtype {array.dtype} is not computed; convert it to float32")
        check_numeric(name, array, value)
        result.append(array)
    return result


def check_numeric(name, array, value):
    """Refuse an array, made of a value, of what could not be numbers."""
    if array.dtype.kind not in "biufcO":
        kind = TypeError if array.dtype.kind in "mM" else ValueError
        raise kind(f"{name}: dtype {array.dtype} is not numeric")
    if array.dtype.kind == "O" and any(v is None for v in array.flat[:1]):
        raise TypeError(f"{name}={value!r}: not of numbers")
    if array.dtype.kind == "O" and array.ndim == 0 and not isinstance(array[()], numbers.Number):
        raise TypeError(f"{name}: a {type(value).__name__} is neither a number nor an array")


def same_rank(**arrays):
    """Both arrays have one rank, and something in them."""
    (a, x), (b, w) = arrays.items()
    if x.ndim != w.ndim:
        raise ValueError(
            f"{a} and {b} should have the same dimensionality, not {x.ndim} and {w.ndim}"
        )


def not_empty(**arrays):
    """No axis has length 0."""
    for name, array in arrays.items():
        if array.size == 0:
            raise ValueError(f"{name} cannot be empty, but has shape {array.shape}")


def finite(*arrays):
    """Whether no value is infinite or NaN."""
    return all(a.dtype.kind not in "fc" or bool(np.isfinite(a).all()) for a in arrays)


def fill_value(value, dtype):
    """A scalar as an array of one element of `dtype`."""
    if type(value) is int and value == 0:
        return _zero(dtype)
    wraps = isinstance(value, (np.integer, np.ndarray))  # as scipy has it
    value = view(value, "fillvalue")
    if value.size != 1:
        raise ValueError(
            f"`fillvalue` must be scalar or an array with one element, not of shape {value.shape}"
        )
    if value.dtype.kind == "O" and isinstance(value.item(), int):
        try:
            value = value.astype(np.float64)  # beyond 64 bits
        except OverflowError:
            raise ValueError(f"fillvalue: could not cast `fillvalue` to {dtype}") from None
    if not _holds(dtype, value, wraps):
        raise bad(
            "fillvalue",
            value.item(),
            f"could not cast `fillvalue` directly to the output type {dtype}",
        )
    if value.dtype.kind == "c" and dtype.kind != "c":
        value = value.real
    with np.errstate(invalid="ignore", over="ignore"):
        return value.reshape(()).astype(dtype)


@functools.cache
def _zero(dtype):
    zero = np.zeros((), dtype)
    zero.flags.writeable = False
    return zero


def _holds(dtype, value, wraps):
    """Whether an array of the type can have the value: fractions are cut, NumPy's integers wrap."""
    if value.dtype.kind not in "biufc" or (dtype.kind != "c" and value.imag.item() != 0):
        return False
    if dtype.kind not in "iu" or (wraps and value.dtype.kind in "iu"):
        return True
    number, limits = value.real.item(), np.iinfo(dtype)
    return math.isfinite(number) and limits.min <= math.trunc(number) <= limits.max


def output(out, shape, dtype, **inputs):
    """`out` if it fits, or a new C-contiguous array."""
    shape = tuple(shape)
    if out is None:
        return _core.empty(shape, dtype, *inputs.values())
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out: must be an ndarray, not {type(out).__name__}")
    if out.shape != shape:
        raise bad("out.shape", out.shape, f"must be {shape}")
    if out.dtype != dtype:
        raise TypeError(f"out.dtype={out.dtype}: must be {dtype}")
    if not out.flags.writeable:
        raise ValueError("out: must be writeable")
    for name, array in inputs.items():
        if array is not None and _overlap(out, array):
            raise ValueError(f"out: must not overlap {name}")
    return out


def _overlap(a, b):
    if _core.are_apart(a, b):
        return False
    try:
        return np.shares_memory(a, b, max_work=10_000)
    except np.exceptions.TooHardError:
        return True


def served(array):
    """The array as the kernels can read it: in place, or copied where bytes are swapped or
    unaligned.
    """
    return _core.canonical(array)


# ---- layers --------------------------------------------------------------------------------------

NARROW = ("float16", "bfloat16")  # stored so, computed in float32


def layer_arrays(accumulate, names, x, w, bias=None):
    """Two canonical arrays and the bias, the dtype of the result and the one to compute in."""
    x, w = array(x, names[0]), array(w, names[1])
    if bias is None:
        return x, w, None, *layer_dtypes(accumulate, x.dtype, w.dtype)
    b = np.ascontiguousarray(array(bias, "bias"))
    return x, w, b, *layer_dtypes(accumulate, x.dtype, w.dtype, b.dtype)


def array(value, name="input"):
    """Anything that NumPy can view, as the kernels can read it: in place where they can."""
    if _core.is_canonical(value):
        return value
    a = view(value, name)
    if a.dtype.kind not in "biufcV":
        raise TypeError(f"{name}: a layer has no samples of dtype {a.dtype}, only numbers")
    return _core.canonical(a)


def layer_dtypes(accumulate, *dtypes):
    """(dtype of a layer's result, dtype to compute in) from those of its arrays."""
    if accumulate is not None:
        accumulation(accumulate)
    return _layer_dtypes(accumulate, *dtypes)


@functools.lru_cache(maxsize=256)
def _layer_dtypes(accumulate, *dtypes):
    try:
        dtype = np.result_type(*dtypes)
    except TypeError as error:
        raise TypeError(f"arrays (input or gradient, weight, bias): {error}") from None
    work = np.dtype(np.float32) if dtype.name in NARROW else dtype
    if accumulate and work.kind in "fc":
        work = np.dtype(np.complex128 if work.kind == "c" else np.float64)
    if dtype.kind == "O" or not _core.serves(work):
        given = ", ".join(map(str, dtypes))
        raise TypeError(
            f"arrays (input or gradient, weight, bias) of dtype {given}: no layers for {dtype}; "
            "allowed are "
            "bool, integers, float16, bfloat16, float32, float64, complex64, complex128"
        )
    return dtype, work


def layer_batch(name, a, rank):
    """An array (C, *space) as (1, C, *space); its rank is checked."""
    return a if is_batch(name, a.shape, rank) else a[None]


def is_batch(name, shape, rank):
    """Whether a shape is (N, C, *space) and not (C, *space)."""
    if not 0 <= len(shape) - rank - 1 <= 1:
        allowed = f"must be (N, C, *space) or (C, *space) with {rank} axes of space"
        raise bad(f"{name}.shape", shape, allowed)
    return len(shape) == rank + 2


def layer_bias(bias, channels):
    """One value for each channel of the output."""
    if bias is not None:
        layer_bias_shape(bias.shape, channels)


def layer_bias_shape(shape, channels):
    """The same of its shape."""
    if shape != (channels,):
        allowed = f"must be ({channels},), one value for each channel of the output"
        raise bad("bias.shape", shape, allowed)


def layer_shape(name, shape, wanted, why):
    """The shape that the other arguments call for."""
    if tuple(shape) != tuple(wanted):
        raise bad(name, tuple(shape), f"must be {tuple(wanted)}, {why}")
