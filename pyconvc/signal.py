"""The functions of scipy.signal that convolve, call for call, on the kernels of this package.

Beyond scipy: ``boundary=`` and ``axes=`` on `convolve` and `correlate` at any rank, `convolve1d`
that broadcasts, ``workers=`` and ``out=`` everywhere, and exact results in every integer dtype.

Padding is values: the result is that of `numpy.pad` followed by mode ``"valid"``.
"""

import warnings

import numpy as np

from . import _check, _choose, _core, _filtering, _lines, _methods, _missing, _scipy, _threads
from ._stream import Stream

__all__ = [
    "Stream",
    "choose",
    "choose_conv_method",
    "convolve",
    "convolve1d",
    "convolve2d",
    "correlate",
    "correlate2d",
    "correlation_lags",
    "fftconvolve",
    "oaconvolve",
]

PROPAGATE, NO_WEIGHT = "propagate", 0.0
METHODS = ("auto", "direct", "fft", "separable")


def convolve(
    in1,
    in2,
    mode="full",
    method="auto",
    *,
    boundary="fill",
    fillvalue=0,
    axes=None,
    nan_policy=PROPAGATE,
    mask=None,
    min_weight=NO_WEIGHT,
    normalize=True,
    workers=None,
    out=None,
):
    """Convolve two N-dimensional arrays: ``y[o] = sum over t of in2[t] * in1[o - t]``.

    Parameters
    ----------
    in1, in2 : array_like
        Arrays of one rank. Any numeric dtype; the result has their common dtype
        (`numpy.result_type`), integers wrap and bool is the OR of ANDs. Along axes that are not
        convolved they broadcast.
    mode : {"full", "same", "valid"}
        All ``n + k - 1`` samples; the middle ones, as many as in1 has; or those that need no
        padding.
    method : {"auto", "direct", "fft", "separable"}
        How to compute. ``"auto"`` takes the fastest that keeps the documented error bound; see
        `choose`.
    boundary : str or sequence of str
        What in1 is beyond its edges, for all axes or one for each: ``"fill"``, ``"wrap"``,
        ``"symm"`` (edge repeated), ``"mirror"`` (edge not repeated), ``"edge"`` (last sample
        repeated).
    fillvalue : scalar
        Value beyond the edges for ``boundary="fill"``; not looked at under other boundaries.
    axes : int or sequence of int, optional
        Axes to convolve over. Default: all.
    nan_policy : {"propagate", "omit", "raise"}
        What NaN in in1 is: a value like others, a missing sample, or an error.
    mask : array_like of bool, optional
        True where a sample of in1 is missing; broadcasts to in1. With it integers are computed in
        float64.
    min_weight : float
        Part of the kernel's weights, 0 to 1, that a window must have for a result other than NaN.
    normalize : bool
        Whether a missing sample counts as the mean of its window, or for nothing.
    workers : int, optional
        Threads for this call. Default: `pyconvc.get_num_threads`.
    out : ndarray, optional
        Where to put the result: its shape and dtype, no overlap with an input.

    Returns
    -------
    ndarray

    Raises
    ------
    ValueError
        If ranks differ, an input is empty, a name is unknown, in mode ``"valid"`` neither array
        contains the other, `mask` or `min_weight` does not fit, NaN is to be refused, or `out` does
        not fit.
    TypeError
        If a dtype is not numeric or `out` has another.

    Notes
    -----
    The full result and its three modes are those of scipy.signal.convolve.

    With missing samples, v being 1 where there is one and else 0, an output is
    ``sum(w v x) + m sum(w (1 - v))`` with ``m = sum(|w| v x) / sum(|w| v)``, the weighted mean of
    what the window has: for kernels without negative weights the normalized convolution of
    Knutsson and Westin (CVPR 1993). Windows without a sample, or with less of the weights than
    `min_weight`, give NaN. Copies beyond an edge are missing where their originals are;
    `fillvalue` counts as a sample, unless it is NaN.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconvc import signal
    >>> signal.convolve([1, 2, 3], [0, 1, 0.5])
    array([0. , 1. , 2.5, 4. , 1.5])
    >>> signal.convolve([1, 2, 3], [1, 1], boundary="wrap", mode="same")
    array([4, 3, 5])
    >>> signal.convolve([1, np.nan, 3], [1, 1], nan_policy="omit", boundary="edge")
    array([2., 2., 6., 6.])
    """
    if axes is mask is None and nan_policy is PROPAGATE and min_weight is NO_WEIGHT:
        y = _at_once(in1, in2, mode, method, boundary, fillvalue, workers, out, True)
        if y is not None:
            return y
    plain = (boundary, fillvalue, axes, workers, out)
    missing = (nan_policy, mask, min_weight, normalize)
    return _filter("convolve", in1, in2, mode, method, *plain, missing=missing, convolution=True)


def correlate(
    in1,
    in2,
    mode="full",
    method="auto",
    *,
    boundary="fill",
    fillvalue=0,
    axes=None,
    nan_policy=PROPAGATE,
    mask=None,
    min_weight=NO_WEIGHT,
    normalize=True,
    workers=None,
    out=None,
):
    """Correlate two N-dimensional arrays: ``z[k] = sum over l of in1[l] * conj(in2[l - k])``.

    Parameters
    ----------
    in1, in2, mode, method, boundary, fillvalue, axes, nan_policy, mask, min_weight, normalize
        As in `convolve`. Mode ``"same"`` is centred as scipy.signal.correlate has it; under a
        boundary that only scipy's correlate2d knows, as that one has it (one sample later for even
        sizes).
    workers, out
        As in `convolve`.

    Returns
    -------
    ndarray

    Raises
    ------
    ValueError, TypeError
        As `convolve`.

    Examples
    --------
    >>> from pyconvc import signal
    >>> signal.correlate([1, 2, 3], [0, 1, 0.5])
    array([0.5, 2. , 3.5, 3. , 0. ])
    """
    if axes is mask is None and nan_policy is PROPAGATE and min_weight is NO_WEIGHT:
        y = _at_once(in1, in2, mode, method, boundary, fillvalue, workers, out, False, 1)
        if y is not None:
            return y
    plain = (boundary, fillvalue, axes, workers, out)
    missing = (nan_policy, mask, min_weight, normalize)
    late = _filtering.LATE_UNLESS_FILL
    return _filter("correlate", in1, in2, mode, method, *plain, missing=missing, late=late)


def convolve2d(in1, in2, mode="full", boundary="fill", fillvalue=0, *, workers=None, out=None):
    """Convolve two 2-dimensional arrays, in1 being extended by `boundary`.

    Parameters
    ----------
    in1, in2, mode, boundary, fillvalue, workers, out
        As in `convolve`.

    Returns
    -------
    ndarray

    Raises
    ------
    ValueError, TypeError
        As `convolve`, and if an array is not 2-dimensional.

    Examples
    --------
    >>> from pyconvc import signal
    >>> signal.convolve2d([[1, 2], [3, 4]], [[1, 1]], mode="same", boundary="symm")
    array([[2, 3],
           [6, 7]])
    """
    return _filter2d(
        "convolve2d", in1, in2, mode, boundary, fillvalue, workers, out, convolution=True
    )


def correlate2d(in1, in2, mode="full", boundary="fill", fillvalue=0, *, workers=None, out=None):
    """Correlate two 2-dimensional arrays, in1 being extended by `boundary`.

    Parameters
    ----------
    in1, in2, mode, boundary, fillvalue, workers, out
        As in `convolve2d`. Mode ``"same"`` starts at ``k // 2`` of the full result, one sample
        later than `correlate` for even k, as in scipy.

    Returns
    -------
    ndarray
        In mode ``"valid"`` with in2 the larger, in1 is the one conjugated, as scipy 1.17 has it.

    Raises
    ------
    ValueError, TypeError
        As `convolve2d`.

    Examples
    --------
    >>> from pyconvc import signal
    >>> signal.correlate2d([[1, 2, 3]], [[1, 1]], mode="same")
    array([[3, 5, 3]])
    """
    y = _filter2d(
        "correlate2d", in1, in2, mode, boundary, fillvalue, workers, out, late=_filtering.LATE
    )
    swapped = mode == "valid" and np.less(np.shape(in1), np.shape(in2)).any()
    return np.conjugate(y, out=y) if swapped and y.dtype.kind == "c" else y


def fftconvolve(in1, in2, mode="full", axes=None, *, workers=None, out=None):
    """Convolve by the fast Fourier transform, in floating point, along `axes`.

    Parameters
    ----------
    in1, in2, mode, axes, workers, out
        As in `convolve`. Integers and bool are computed and returned in float64, float16 in
        float32.

    Returns
    -------
    ndarray
        Empty, of shape (0,), where an input is empty, as in scipy.

    Raises
    ------
    ValueError, TypeError
        As `convolve`.

    Notes
    -----
    Long inputs are cut into overlapping tiles (overlap-save; Oppenheim & Schafer, "Discrete-Time
    Signal Processing", section 8.7), so that memory stays bounded. A backend that is set with
    `scipy.fft.set_backend` makes the transforms; else they are our own or those of `scipy.fft`.

    Examples
    --------
    >>> from pyconvc import signal
    >>> signal.fftconvolve([1.0, 2.0, 3.0], [1.0, 1.0]).round(6)
    array([1., 3., 5., 3.])
    """
    return _transform("fftconvolve", in1, in2, mode, axes, workers, out)


def oaconvolve(in1, in2, mode="full", axes=None, *, workers=None, out=None):
    """Convolve by tiles of Fourier transforms: `fftconvolve` under another of scipy's names.

    Parameters
    ----------
    in1, in2, mode, axes, workers, out
        As in `fftconvolve`.

    Returns
    -------
    ndarray

    Examples
    --------
    >>> from pyconvc import signal
    >>> signal.oaconvolve([1.0, 2.0, 3.0], [1.0, 1.0], mode="valid").round(6)
    array([3., 5.])
    """
    return _transform("oaconvolve", in1, in2, mode, axes, workers, out)


def convolve1d(a, v, axis=-1, mode="full", boundary="fill", fillvalue=0, *, workers=None, out=None):
    """Convolve along one axis: one filter for all rows, or one for each.

    Parameters
    ----------
    a : array_like
        Signal, extended along `axis` by `boundary`.
    v : array_like
        Filter of rank 1, or of higher rank with its taps along `axis` and other axes that broadcast
        against those of `a`.
    axis : int
        Axis of the samples, of the result as well.
    mode, boundary, fillvalue, workers, out
        As in `convolve`.

    Returns
    -------
    ndarray

    Raises
    ------
    ValueError, TypeError
        As `convolve`.

    Examples
    --------
    >>> from pyconvc import signal
    >>> signal.convolve1d([[1, 2, 3], [4, 5, 6]], [[1, 1], [1, -1]], mode="valid")
    array([[3, 5],
           [1, 1]])
    """
    y = _plain_line(a, v, axis, mode, boundary, fillvalue, workers, out)
    if y is not None:
        return y
    a, v = _check.numeric(a=a, v=v)
    rank = max(a.ndim, v.ndim)
    if a.ndim == 0 or v.ndim == 0:
        raise ValueError(f"a and v must have at least 1 axis, not {a.ndim} and {v.ndim}")
    axis = _check.axis(axis, rank)
    if v.ndim == 1:
        v = v.reshape([-1 if i == axis else 1 for i in range(rank)])
    a, v = (r.reshape((1,) * (rank - r.ndim) + r.shape) for r in (a, v))
    plain = (boundary, fillvalue, axis, workers, out)
    return _filter("convolve1d", a, v, mode, "auto", *plain, names=("a", "v"), convolution=True)


def choose(in1, in2, mode="full", *, boundary="fill", fillvalue=0, axes=None, correlation=False):
    """Tell which method ``method="auto"`` takes, and why.

    Parameters
    ----------
    in1, in2, mode, boundary, fillvalue, axes
        As in `convolve`.
    correlation : bool
        Whether `correlate` is meant.

    Returns
    -------
    Choice
        ``method``, ``reason``, and the estimated ``seconds`` of each method that was weighed.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconvc import signal
    >>> signal.choose(np.ones((64, 64)), np.ones((3, 3))).method
    'direct'
    """
    _check.mode(mode)
    in1, in2 = _check.numeric(in1=in1, in2=in2)
    _check.same_rank(in1=in1, in2=in2)
    if in1.ndim == 0 or _scipy.takes(in1, in2):
        return _choose.Choice("direct", "a single product, or a dtype that only scipy computes", {})
    f = _filtering.filtering(
        in1,
        in2,
        mode,
        axes,
        boundary,
        fillvalue,
        None,
        None,
        convolution=not correlation,
        late=_filtering.LATE_UNLESS_FILL,
        compute=False,
    )
    return _choose.weigh(f)[0]


def choose_conv_method(in1, in2, mode="full", measure=False):
    """Find the faster of scipy's two methods for ``convolve(in1, in2, mode)``.

    Parameters
    ----------
    in1, in2, mode
        As in `convolve`.
    measure : bool
        Whether to run and time both.

    Returns
    -------
    method : {"direct", "fft"}
        ``"direct"`` also where `convolve` takes its separable method.
    times : dict of str to float
        Seconds of each; only with ``measure=True``.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconvc import signal
    >>> signal.choose_conv_method(np.ones(100), np.ones(10))
    'direct'
    """
    if measure:
        times = {m: _best_time(lambda m=m: convolve(in1, in2, mode, m)) for m in ("direct", "fft")}
        return min(times, key=times.get), times
    return "fft" if choose(in1, in2, mode).method == "fft" else "direct"


def correlation_lags(in1_len, in2_len, mode="full"):
    """Lag of each sample of ``correlate(in1, in2, mode)`` for 1-dimensional inputs.

    Parameters
    ----------
    in1_len, in2_len : int
        Lengths of the inputs.
    mode : {"full", "same", "valid"}

    Returns
    -------
    ndarray of int

    Raises
    ------
    ValueError
        If `mode` is unknown.

    Examples
    --------
    >>> from pyconvc import signal
    >>> signal.correlation_lags(4, 3)
    array([-2, -1,  0,  1,  2,  3])
    """
    if not isinstance(mode, str) or mode not in _check.MODES:
        raise ValueError(f"Mode {mode} is invalid: mode must be 'full', 'same' or 'valid'")
    n, k = _check.index("in1_len", in1_len), _check.index("in2_len", in2_len)
    if mode == "valid":
        return np.arange(min(0, n - k), max(0, n - k) + 1)
    if mode == "same":
        first = (n + k - 1) // 2 - n // 2 - (k - 1)
        return np.arange(first, first + n)
    return np.arange(1 - k, n)


# ---- bodies --------------------------------------------------------------------------------------


def _filter(
    name,
    in1,
    in2,
    mode,
    method,
    boundary,
    fillvalue,
    axes,
    workers,
    out,
    *,
    names=("in1", "in2"),
    missing=_missing.NOTHING,
    rows=None,
    **kind,
):
    """The common body of the functions whose result has the inputs' dtype.

    `rows` is a slice of the outputs along the first axis, if not all are wanted.
    """
    _check.mode(mode)
    _check.one_of("method", method, METHODS)
    in1, in2 = _check.numeric(**dict(zip(names, (in1, in2), strict=True)))
    _check.same_rank(**dict(zip(names, (in1, in2), strict=True)))
    missing = _missing.wanted(in1, names[0], *missing)
    if missing:
        in1 = _missing.floating(in1, in2, mode)
    if _scipy.takes(in1, in2):
        y = _scipy.call(name, in1, in2, mode, boundary, fillvalue, axes, out)
        return y if rows is None else y[rows]
    if in1.ndim == 0 and not missing:
        return _product(in1, in2 if kind.get("convolution") else in2.conj(), out)
    _check.not_empty(**dict(zip(names, (in1, in2), strict=True)))
    # The separable method asks for the vectors of in2; samples are missing in in1.
    commute = method != "separable" and not missing
    f = _filtering.filtering(
        in1,
        in2,
        mode,
        axes,
        boundary,
        fillvalue,
        workers,
        out,
        names=names,
        commute=commute,
        compute=rows is None,
        **kind,
    )
    if rows is not None:
        f = _filtering.only(f, 0, rows)
    return _compute(f, method, np.result_type(in1, in2), out, missing=missing)


def _plain(in1, in2, mode, method, boundary, fillvalue, workers, out, **kind):
    """What `_core.plain` takes, as it does; else None."""
    names, workers = _check.SIGNAL_BOUNDARIES, _threads.current if workers is None else workers
    return _core.plain(in1, in2, mode, method, boundary, names, fillvalue, workers, out, **kind)


def _at_once(in1, in2, mode, method, boundary, fillvalue, workers, out, flip, late=0, planes=False):
    """The same, or, of more work, what shapes tell how to compute the fastest; else None.

    Arguments go one by one: a dict of them would take as long as a small call.
    """
    names, threads = _check.SIGNAL_BOUNDARIES, _threads.current if workers is None else workers
    y = _core.plain(
        in1,
        in2,
        mode,
        method,
        boundary,
        names,
        fillvalue,
        threads,
        out,
        flip=flip,
        late=late,
        planes=planes,
    )
    if y is not None or type(method) is not str or method != "auto":
        return y
    if _choose.is_direct_by_shape(in1, in2, mode):
        how = boundary, fillvalue, workers, out
        return _plain(in1, in2, mode, "direct", *how, flip=flip, late=late, planes=planes)
    if out is workers is None and type(boundary) is str and boundary == "fill":
        return _lines.convolve(in1, in2, mode, fillvalue, _threads.resolve(), flip=flip)
    return None


def _plain_line(a, v, axis, mode, boundary, fillvalue, workers, out):
    """`convolve1d` of arrays by one filter, where `_core.plain` takes them; else None."""
    if not type(a) is type(v) is np.ndarray or v.ndim != 1 or type(axis) is not int:
        return None
    if not -a.ndim <= axis < a.ndim:
        return None
    shape = [1] * a.ndim
    shape[axis] = -1
    how = boundary, fillvalue, workers, out
    return _plain(a, v.reshape(shape), mode, "auto", *how, flip=True)


def _filter2d(name, in1, in2, mode, boundary, fillvalue, workers, out, **kind):
    how = mode, "auto", boundary, fillvalue, workers, out
    options = {"flip": "late" not in kind, "late": 2 if "late" in kind else 0, "planes": True}
    y = _at_once(in1, in2, *how, **options)
    if y is not None:
        return y
    in1, in2 = _check.numeric(in1=in1, in2=in2)
    if in1.ndim != 2 or in2.ndim != 2:
        raise ValueError(
            f"{name} inputs must both be 2-D arrays, but in1 is {in1.ndim}-D and in2 {in2.ndim}-D"
        )
    _check.mode(mode)
    if _scipy.takes(in1, in2):
        return _scipy.call(name, in1, in2, mode, boundary, fillvalue, None, out)
    f = _filtering.filtering(in1, in2, mode, None, boundary, fillvalue, workers, out, **kind)
    return _compute(f, "auto", np.result_type(in1, in2), out)


def _transform(name, in1, in2, mode, axes, workers, out):
    """The common body of the functions that always compute by Fourier transforms."""
    if axes is workers is out is None:
        y = _lines.convolve(in1, in2, mode, 0, _threads.resolve(), flip=True, method="fft")
        if y is not None:
            return y
    in1, in2 = _check.numeric(in1=in1, in2=in2)
    _check.same_rank(in1=in1, in2=in2)
    _check.mode(mode)
    if _scipy.takes(in1, in2):
        return _scipy.call(name, in1, in2, mode, "fill", 0, axes, out)
    if in1.ndim == 0:
        return _product(in1, in2, out)
    if in1.size == 0 or in2.size == 0:
        return np.array([])
    axes = _check.axes(axes, in1.ndim)
    if mode == "same":
        in2 = _middle(in2, [a for a in axes if in1.shape[a] == 1])
    wanted = [a for a in axes if in1.shape[a] != 1 != in2.shape[a]]
    _filtering.broadcast_lead(in1, in2, wanted)
    if not wanted:
        return _product(in1, in2, out)
    in1, in2 = (a.astype(_transformed(a.dtype), copy=False) for a in (in1, in2))
    f = _filtering.filtering(
        in1, in2, mode, tuple(wanted), "fill", 0, workers, out, convolution=True
    )
    return _compute(f, "fft", np.result_type(in1, in2), out, warn=False)


def _middle(a, axes):
    """The sample along each of the axes that mode "same" keeps where the other array has one."""
    middle = [
        slice((n - 1) // 2, (n + 1) // 2) if i in axes else slice(None)
        for i, n in enumerate(a.shape)
    ]
    return a[tuple(middle)]


def _transformed(dtype):
    """Type in which a transform computes."""
    return np.dtype(np.float64) if dtype.kind in "biu" else np.result_type(dtype, np.float32)


def _product(in1, in2, out):
    result = in1 * in2
    if out is None:
        return result
    _check.output(out, np.shape(result), result.dtype)
    out[...] = result
    return out


def _warn_not_finite():
    warnings.warn(
        "Use of fft convolution on input with NAN or inf, or with sums that overflow, results in "
        "NAN or inf output far from them. Consider using method='direct' instead.",
        RuntimeWarning,
        stacklevel=5,
    )


def _compute(f, method, dtype, out, *, missing=None, warn=True):
    """Run a filtering; the result in its own dtype."""
    if not f.w.size:
        f.y[...] = 0
    elif f.y.size:
        if missing:
            _missing.filter(f, missing, method)
        else:
            _methods.run(f, *(_choose.method(f, method, later=True) if f.x.size else ("direct",)))
        warn = warn and method == "fft" and dtype.kind in "fc" and not missing
        if warn and not np.isfinite(f.y).all():
            _warn_not_finite()
    if f.y.dtype == dtype:
        return f.y
    if out is None:
        return f.y.astype(dtype)
    out[...] = f.y
    return out


def _best_time(call):
    import timeit

    timer = timeit.Timer(call)
    number, _ = timer.autorange()
    return min(timer.repeat(3, max(1, number // 4))) / max(1, number // 4)
