"""What scipy.ndimage's arguments may be: all checks and error texts of pyconvc.ndimage.

An error has scipy's type and names the argument, its value and what is allowed.
"""

import warnings

import numpy as np

from .. import _check, _core

MODES = {
    "constant": 0,
    "grid-constant": 0,
    "nearest": 1,
    "mirror": 2,
    "reflect": 3,
    "grid-mirror": 3,
    "wrap": 4,
    "grid-wrap": 4,
}
"""scipy.ndimage's names of the rules in `_check.BOUNDARIES`."""

PRECISIONS = (None, "double")
LARGEST = 1 << 48  # samples of a window, about as many bytes as could be numbered


def mode(value):
    """Code of a boundary rule."""
    if not isinstance(value, str) or value not in MODES:
        allowed = ", ".join(map(repr, MODES))
        raise RuntimeError(f"mode={value!r}: boundary mode not supported, must be one of {allowed}")
    return MODES[value]


def one_mode(value):
    """Code of the one rule that the filters with weights of any rank have for all axes."""
    if not isinstance(value, str) and np.iterable(value):
        raise RuntimeError(f"mode={value!r}: a sequence of modes is not supported here")
    return mode(value)


def axis(value, rank):
    """One axis, counted from the front."""
    value = _check.index("axis", value)
    if not -rank <= value < rank:
        raise np.exceptions.AxisError(value, rank, "axis")
    return value % rank


def axes(value, rank):
    """Distinct axes in the order given, counted from the front; None is all of them."""
    if value is None:
        return tuple(range(rank))
    if np.isscalar(value):
        value = (value,)
    elif not np.iterable(value):
        raise ValueError(f"axes={value!r}: must be an integer, iterable of integers, or None")
    given = tuple(_check.index("axes", a) for a in value)
    for a in given:
        if not -rank <= a < rank:
            raise ValueError(f"axes={value!r}: specified axis {a} is out of range for rank {rank}")
    result = tuple(a % rank for a in given)
    if len(set(result)) != len(result):
        raise ValueError(f"axes={value!r}: axes must be unique")
    return result


def each(name, value, count):
    """`value` for each of `count` axes: a sequence of that length, or one for all."""
    if value is None or isinstance(value, (str, int, float)) or not np.iterable(value):
        return [value] * count
    values = list(value)
    if len(values) != count:
        raise RuntimeError(
            f"{name}={value!r}: sequence argument must have length equal to input rank, or to the "
            f"number of axes, which is {count}"
        )
    return values


def size(value):
    """Samples of a window."""
    value = _check.index("size", value)
    if value < 1:
        raise RuntimeError(f"size={value!r}: incorrect filter size, must be at least 1")
    if value > LARGEST:
        raise ValueError(f"size={value!r}: must be at most {LARGEST}")
    return value


def box_size(value):
    """Samples of a box along an axis; scipy cuts fractions off, and takes less than 1 for 1."""
    number = _check.number("size", value)
    if not np.isfinite(number):
        raise ValueError(f"size={value!r}: must be finite")
    return size(int(value)) if number > 1 else 1


def origin(name, value, size):
    """How far a window of `size` samples is moved; it must stay over its sample."""
    value = _check.index(name, value)
    low, high = -(size // 2), (size - 1) // 2
    if not low <= value <= high:
        raise ValueError(
            f"Invalid origin: {name}={value}, must be from {low} to {high} for a size of {size}"
        )
    return value


def precision(value):
    """None or "double"."""
    return value if value is None else _check.one_of("precision", value, PRECISIONS[1:])


def cval(value, x, weights=None):
    """The constant as a number; complex only for complex input."""
    if isinstance(value, (int, float)) or not np.iscomplexobj(_check.view(value, "cval")):
        # of the two zeros one, for filters are kept by value
        return _check.number("cval", value) + 0.0
    if x.dtype.kind != "c":  # scipy has both types
        kind = ValueError if np.iscomplexobj(weights) else TypeError
        raise kind(f"cval={value!r}: must be real, as the input is")
    return complex(value)


def sigma(value):
    """A width that is a number and not negative."""
    value = _check.number("sigma", value)
    if not 0 <= value < np.inf:
        raise ValueError(f"sigma={value}: must be finite and not negative")
    return value


def result(output, x, *, is_complex=False, missing=None):
    """Where the result goes, from scipy's argument `output`: an array, a dtype or its name.

    Where samples may be `missing` it must have room for NaN.
    """
    if missing and output is None and x.dtype.kind in "biu":
        output = np.dtype(np.complex128 if is_complex else np.float64)
    y = _result(output, x, is_complex)
    if missing and y.dtype.kind in "biu":
        raise RuntimeError(f"output: with missing samples it must be floating, not {y.dtype}")
    if not _core.serves(y.dtype.newbyteorder("=")):
        raise RuntimeError(f"output: array type {y.dtype!r} not supported")
    return y


def _result(output, x, is_complex):
    if output is None:
        dtype = np.promote_types(x.dtype, np.complex64) if is_complex else x.dtype
        return _check.output(None, x.shape, dtype.newbyteorder("="), input=x)
    if isinstance(output, (type, np.dtype)):
        dtype = _dtype(output)
        if is_complex and dtype.kind != "c":
            warnings.warn("promoting specified output dtype to complex", stacklevel=5)
            dtype = np.promote_types(dtype, np.complex64)
        return _core.empty(x.shape, dtype, x)
    if isinstance(output, str):
        dtype = _dtype(output)
        if not is_complex and not issubclass(dtype.type, np.number):
            raise RuntimeError(f"output={output!r}: output must have numeric dtype")
        must_be_complex(dtype, is_complex)
        return _core.empty(x.shape, dtype, x)
    y = np.asarray(output)
    if y.shape != x.shape:
        raise RuntimeError(f"output: output shape not correct, {y.shape} instead of {x.shape}")
    must_be_complex(y.dtype, is_complex)
    if not y.flags.writeable:
        raise ValueError("output: must be writeable")
    return y


def _dtype(output):
    try:
        return np.dtype(output)
    except TypeError as error:
        raise TypeError(f"output={output!r}: {error}") from None


def must_be_complex(dtype, is_complex):
    """A result that has an imaginary part has a place for it."""
    if is_complex and dtype.kind != "c":
        raise RuntimeError(f"output: output must have complex dtype, not {dtype}")
