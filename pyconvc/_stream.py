"""Filtering of a signal that arrives in chunks: the same bits as of the whole."""

import numpy as np

from . import _check, _filtering, _methods, _threads

LEAST = 256  # outputs computed at once: the kernels sum in another order where lines are short


class Stream:
    """Convolve a signal that arrives in chunks along one axis.

    Parameters
    ----------
    v : array_like
        Filter of rank 1, or of higher rank as in `convolve1d`.
    axis : int
        Axis of the samples.
    mode : {"full", "same", "valid"}
        Which samples of the whole signal's convolution there will be.
    boundary : {"fill", "symm", "mirror", "edge"}
        What lies before the first sample and after the last; not ``"wrap"``, which would need the
        last sample first.
    fillvalue : scalar
        Value there for ``boundary="fill"``.
    workers : int, optional
        Threads of each call. Default: `pyconvc.get_num_threads`.

    Raises
    ------
    ValueError, TypeError
        As `convolve`.

    Notes
    -----
    What `feed` and `flush` return, put together, has the bits of `convolve` with
    ``method="direct"`` on the whole signal, if that is no shorter than the filter; however it is
    cut. As many samples as the filter has taps, and a few hundred more, are kept in between.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconvc import signal
    >>> stream = signal.Stream([1.0, 1.0], mode="full")
    >>> parts = [stream.feed(chunk) for chunk in np.split(np.arange(6.0), 3)] + [stream.flush()]
    >>> np.concatenate(parts)
    array([0., 1., 3., 5., 7., 9., 5.])
    """

    def __init__(self, v, axis=-1, mode="full", boundary="fill", fillvalue=0, *, workers=None):
        (self._v,) = _check.numeric(v=v)
        if self._v.ndim == 0 or self._v.size == 0:
            raise ValueError(f"v must have at least 1 axis and 1 tap, not shape {self._v.shape}")
        self._rule = _check.signal_boundaries(boundary, 1)[0]
        if _check.BOUNDARIES[self._rule] == "circular":
            raise _check.bad("boundary", boundary, "a stream cannot begin with its last samples")
        _check.fill_value(fillvalue, np.dtype(complex))  # whatever the samples will be
        self._mode, self._fillvalue = _check.mode(mode), fillvalue
        if _check.index("axis", axis) not in range(-64, 64):
            raise _check.bad("axis", axis, "no array has so many")
        self._axis, self._workers = axis, _threads.resolve(workers)
        self._forget()

    def _forget(self):
        self._kept = None  # the samples from `_start` of the signal on
        self._start = self._done = 0  # first sample kept, outputs returned

    def feed(self, chunk):
        """Take the next samples; return the outputs that they complete.

        Parameters
        ----------
        chunk : array_like
            Any number of samples along the axis; other axes and the dtype as in the first chunk.

        Returns
        -------
        ndarray
            Maybe without samples.
        """
        (chunk,) = _check.numeric(chunk=chunk)
        if self._kept is None:
            self._begin(chunk)
        else:
            self._fits(chunk)
            self._kept = np.concatenate([self._kept, chunk], self._along)
        return self._outputs(self._end() - self._taps + 1 + self._pad, last=False)

    def flush(self):
        """End the signal: return the outputs that are left, and be ready for another signal.

        Returns
        -------
        ndarray
        """
        if self._kept is None:
            raise ValueError("flush: nothing was fed since the stream began")
        n = self._end()
        size = {"full": n + self._taps - 1, "same": n, "valid": max(0, n - self._taps + 1)}
        y = self._outputs(size[self._mode], last=True)
        self._forget()
        return y

    def _begin(self, chunk):
        rank = max(chunk.ndim, self._v.ndim)
        if chunk.ndim == 0:
            raise ValueError("chunk must have at least 1 axis")
        self._along = _check.axis(self._axis, rank)
        v = self._v
        if v.ndim == 1:
            v = v.reshape([-1 if a == self._along else 1 for a in range(rank)])
        self._result = np.result_type(chunk, v)
        if self._result.kind == "O" or self._result.char in "gG":
            raise TypeError(f"chunk, v: no streams of dtype {self._result}")
        self._dtype = _filtering.computing_dtype(self._result)
        self._w = _check.served(v.reshape((1,) * (rank - v.ndim) + v.shape).astype(self._dtype))
        self._taps = self._w.shape[self._along]
        self._fill = _check.fill_value(self._fillvalue, self._dtype)
        first, _ = _filtering.window(self._taps, self._taps, self._mode, late=False)
        self._pad = self._taps - 1 - first
        self._first = chunk.dtype, self._lead(chunk)
        self._kept = chunk.reshape((1,) * (rank - chunk.ndim) + chunk.shape).copy()

    def _lead(self, chunk):
        """The shape beside the axis."""
        along = self._along - (self._w.ndim - chunk.ndim)
        return chunk.shape[:along], chunk.shape[along + 1 :]

    def _fits(self, chunk):
        dtype, lead = self._first
        if chunk.dtype != dtype:
            raise TypeError(f"chunk.dtype={chunk.dtype}: must be {dtype}, as of the first chunk")
        if chunk.ndim == 0 or self._lead(chunk) != lead:
            raise _check.bad("chunk.shape", chunk.shape, "differs from the first chunk's elsewhere")

    def _end(self):
        return self._start + self._kept.shape[self._along]

    def _outputs(self, end, *, last):
        """Outputs up to `end`; none while there are too few to be summed as the whole is."""
        end = max(end, self._done)
        shape = list(np.broadcast_shapes(*(self._without(a) for a in (self._kept, self._w))))
        early = end < LEAST or (self._rule and self._end() <= self._pad)  # for what lies before
        if end == self._done or (early and not last):
            shape[self._along] = 0
            return np.empty(shape, self._result)
        first = max(0, min(self._done, end - LEAST))
        y = self._compute(first, end, shape)
        y = y[self._at(slice(self._done - first, None))]
        self._done = end
        self._drop(max(0, end - LEAST) - self._pad)
        return y.astype(self._result)

    def _compute(self, first, end, shape):
        shape[self._along] = end - first
        y = np.empty(shape, self._dtype)
        pad = [0] * y.ndim
        pad[self._along] = self._pad - first + self._start
        boundary = [self._rule if a == self._along else 0 for a in range(y.ndim)]
        _methods.direct(
            _methods.Filtering(
                _check.served(self._kept.astype(self._dtype, copy=False)),
                self._w,
                y,
                (self._along,),
                tuple(pad),
                tuple(boundary),
                self._fill,
                True,
                self._workers,
            )
        )
        return y

    def _drop(self, first):
        """Forget the samples before `first`, but keep what the far edge may repeat."""
        first = min(first, self._end() - self._taps)
        if first > self._start:
            self._kept = self._kept[self._at(slice(first - self._start, None))].copy()
            self._start = first

    def _at(self, samples):
        return (slice(None),) * self._along + (samples,)

    def _without(self, a):
        """Shape with 1 along the axis."""
        return tuple(1 if i == self._along else n for i, n in enumerate(a.shape))
