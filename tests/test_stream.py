"""Signals that arrive in chunks: the same bits as in one piece."""

import cases
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyconvc import signal

BOUNDARIES = ("fill", "symm", "mirror", "edge")


def streamed(x, v, cuts, axis, **arguments):
    stream = signal.Stream(v, axis, **arguments)
    parts = [stream.feed(part) for part in np.split(x, sorted(cuts), axis)]
    return np.concatenate([*parts, stream.flush()], axis)


def whole(x, v, axis, mode, boundary, fillvalue=0):
    v = v.reshape([-1 if a == axis % x.ndim else 1 for a in range(x.ndim)])
    keywords = {"axes": axis, "boundary": boundary, "fillvalue": fillvalue}
    return signal.convolve(x, v, mode, "direct", **keywords)


@given(data=st.data())
@pytest.mark.parametrize("mode", cases.MODES)
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_same_bits(mode, boundary, data):
    taps = data.draw(st.one_of(st.integers(1, 40), st.integers(300, 600)))
    n = data.draw(st.integers(taps, 1500))
    shape, axis = data.draw(st.sampled_from([((n,), -1), ((2, n), 1), ((n, 3), 0)]))
    dtype = data.draw(st.sampled_from([np.float32, np.float64, np.complex64, np.int16]))
    cuts = data.draw(st.lists(st.integers(0, n), max_size=12))
    x, v = cases.random(shape, dtype), cases.random((taps,), dtype, 1)
    got = streamed(x, v, cuts, axis, mode=mode, boundary=boundary, fillvalue=2)
    want = whole(x, v, axis, mode, boundary, 2)
    assert got.dtype == want.dtype
    np.testing.assert_array_equal(got, want)


def test_sample_by_sample():
    x, v = cases.random((900,), np.float32), cases.random((31,), np.float32, 1)
    stream = signal.Stream(v, mode="valid")
    parts = [stream.feed(x[i : i + 1]) for i in range(x.size)] + [stream.flush()]
    np.testing.assert_array_equal(np.concatenate(parts), signal.convolve(x, v, "valid", "direct"))
    assert sum(part.size == 1 for part in parts) > 500  # no chunk waits for more than it needs


def test_kept_samples_are_bounded():
    stream = signal.Stream(np.ones(31, np.float32))
    for _ in range(100):
        stream.feed(np.ones(1000, np.float32))
        assert stream._kept.size < 1000


def test_filters_of_their_own():
    x, v = cases.random((2, 700)), cases.random((2, 9), seed=1)
    got = streamed(x, v, [1, 300], 1, mode="same")
    np.testing.assert_allclose(got, signal.convolve1d(x, v, mode="same"), atol=1e-12)


def test_another_signal_after_flush():
    stream = signal.Stream([1, 1])
    for x in ([1, 2, 3], [[4, 5, 6]]):
        first = stream.feed(x)
        np.testing.assert_array_equal(
            np.concatenate([first, stream.flush()], -1), signal.convolve1d(x, [1, 1])
        )


def test_half_precision():
    x = cases.random((600,), np.float16)
    got = streamed(x, np.ones(3, np.float16), [7], 0)
    assert got.dtype == np.float16
    np.testing.assert_array_equal(got, signal.convolve(x, np.ones(3, np.float16), "full", "direct"))


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"v": []}, ValueError, "v must have"),
        ({"v": [1], "mode": "all"}, ValueError, "mode='all'"),
        ({"v": [1], "boundary": "wrap"}, ValueError, "boundary='wrap'"),
        ({"v": [1], "boundary": "beyond"}, ValueError, "boundary='beyond'"),
    ],
)
def test_refused_filters(arguments, error, text):
    with pytest.raises(error, match=text):
        signal.Stream(**arguments)


def test_refused_chunks():
    stream = signal.Stream([1.0, 2.0])
    with pytest.raises(ValueError, match="nothing was fed"):
        stream.flush()
    with pytest.raises(ValueError, match="chunk must have"):
        stream.feed(1.0)
    stream.feed(np.ones((2, 3)))
    with pytest.raises(TypeError, match=r"chunk\.dtype=int64"):
        stream.feed(np.ones((2, 3), np.int64))
    with pytest.raises(ValueError, match=r"chunk\.shape"):
        stream.feed(np.ones((3, 3)))
    with pytest.raises(TypeError, match="no streams"):
        signal.Stream(np.array([1], object)).feed([1])
