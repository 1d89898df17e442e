"""Overlap-save against direct sums in double precision."""

import itertools

import numpy as np
import pytest
import scipy.fft
from hypothesis import given, settings
from hypothesis import strategies as st

from pyconvc import _fft

DTYPES = [np.float32, np.float64, np.complex64, np.complex128]
PAD_MODES = {
    "constant": "constant",
    "replicate": "edge",
    "reflect": "reflect",
    "symmetric": "symmetric",
    "circular": "wrap",
}


def direct(x, w, out_shape, axes, pad_before, boundary="constant", fill=0):
    """The sum of the contract, term by term, on numpy.pad's extension."""
    x, w = x.astype(np.complex128), w.astype(np.complex128)
    for a, before in zip(axes, pad_before, strict=True):
        length = out_shape[a] + w.shape[a] - 1
        widths = [(0, 0)] * x.ndim
        widths[a] = (before, max(0, length - before - x.shape[a]))
        value = {"constant_values": fill} if boundary == "constant" else {}
        x = np.pad(x, widths, mode=PAD_MODES[boundary], **value)
        x = x.take(range(length), axis=a)
    y = np.zeros(out_shape, np.complex128)
    for taps in itertools.product(*[range(w.shape[a]) for a in axes]):
        window, tap = [slice(None)] * x.ndim, [slice(None)] * x.ndim
        for a, t in zip(axes, taps, strict=True):
            last = w.shape[a] - 1
            window[a] = slice(last - t, last - t + out_shape[a])
            tap[a] = slice(t, t + 1)
        y += w[tuple(tap)] * x[tuple(window)]
    return y


def random_array(rng, shape, dtype):
    values = rng.standard_normal(shape)
    if np.dtype(dtype).kind == "c":
        values = values + 1j * rng.standard_normal(shape)
    return values.astype(dtype)


def assert_close(out, expected, x, w):
    scale = np.linalg.norm(w) * np.linalg.norm(x) + np.abs(expected).max(initial=0)
    np.testing.assert_allclose(out, expected, rtol=0, atol=20 * np.finfo(out.dtype).eps * scale)


def check(x, w, out_shape, axes, pad_before, boundary="constant", fill=0, **options):
    out = np.full(out_shape, np.nan, x.dtype)
    _fft.overlap_save(
        x, w, out, axes=axes, pad_before=pad_before, boundary=boundary, fill=fill, **options
    )
    assert_close(out, direct(x, w, out_shape, axes, pad_before, boundary, fill), x, w)
    return out


@st.composite
def problems(draw):
    rank = draw(st.integers(1, 3))
    leading = draw(st.integers(0, 1))
    axes = tuple(draw(st.permutations(range(leading, leading + rank))))
    longest = [120, 24, 9][rank - 1]
    x_shape, w_shape, out_shape = ([3] * leading for _ in range(3))
    if leading:
        x_shape[0], w_shape[0] = draw(st.sampled_from([(1, 3), (3, 1), (3, 3)]))
    for _ in range(rank):
        n, k = draw(st.integers(1, longest)), draw(st.integers(1, longest // 2))
        x_shape.append(n)
        w_shape.append(k)
        out_shape.append(draw(st.integers(1, n + k + 2)))
    pads = [draw(st.integers(0, w_shape[a] + 2)) for a in axes]
    boundary = draw(st.sampled_from(sorted(PAD_MODES)))
    dtype = draw(st.sampled_from(DTYPES))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    x, w = (random_array(rng, shape, dtype) for shape in (x_shape, w_shape))
    return x, w, tuple(out_shape), axes, pads, boundary


@settings(deadline=None, max_examples=200)
@given(problems())
def test_direct_sum(problem):
    check(*problem, fill=0.5)


@settings(deadline=None, max_examples=100)
@given(problems(), st.sampled_from([1, 2000, 20000]), st.integers(0, 100))
def test_seams_of_any_tiling(problem, block_bytes, choice):
    """Every tiling on offer gives the same sums, whole or in blocks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_fft, "BLOCK_BYTES", block_bytes)
        patch.setattr(_fft, "_plan", lambda *numbers: tiling(choice, *numbers[3:]))
        check(*problem)


def tiling(choice, taps, outs, char):
    picked = []
    for k, m in zip(taps, outs, strict=True):
        options = _fft._axis_options(k, m, char in "fd")
        picked.append(options[choice % len(options)])
    fft, tile = zip(*picked, strict=True)
    return _fft.Plan(fft, tile, 0.0, 0)


@pytest.mark.parametrize("dtype", DTYPES)
def test_strided_arrays(dtype):
    rng = np.random.default_rng(1)
    x = random_array(rng, (40, 60), dtype)[::-2, ::3].T
    w = random_array(rng, (7, 5), dtype)[::-1, ::-1]
    out = np.full((40, 40), np.nan, dtype)[::2, ::-2].T
    before = x.copy()
    _fft.overlap_save(x, w, out, axes=(0, 1), pad_before=(3, 2))
    assert_close(out, direct(x, w, out.shape, (0, 1), (3, 2)), x, w)
    np.testing.assert_array_equal(x, before)


def test_nothing_to_do():
    x, w = np.ones((3, 4)), np.ones((1, 2))
    assert _fft.overlap_save(x, w, np.empty((3, 0)), axes=(1,), pad_before=(0,)).size == 0
    out = _fft.overlap_save(x, w[:, :0], np.ones((3, 4)), axes=(1,), pad_before=(0,))
    np.testing.assert_array_equal(out, 0)


def test_no_axes_multiplies():
    x, w = np.arange(6.0).reshape(2, 3), np.array([[2.0]])
    out = _fft.overlap_save(x, w, np.empty((2, 3)), axes=(), pad_before=())
    np.testing.assert_array_equal(out, 2 * x)


class CountingBackend:
    """Backend that counts the calls and hands them on."""

    __ua_domain__ = "numpy.scipy.fft"

    def __init__(self):
        self.calls = 0

    def __ua_function__(self, method, args, kwargs):
        self.calls += 1
        with scipy.fft.skip_backend(self):
            return method(*args, **kwargs)


def test_backend_is_used():
    backend = CountingBackend()
    rng = np.random.default_rng(2)
    x, w = rng.standard_normal((30, 30)), rng.standard_normal((5, 5))
    with scipy.fft.set_backend(backend):
        check(x, w, (34, 34), (0, 1), (4, 4))
    assert backend.calls > 0


@pytest.mark.parametrize("workers", [2, 3])
def test_workers_give_the_same_bits(workers):
    rng = np.random.default_rng(3)
    x, w = random_array(rng, (300, 700), np.float32), random_array(rng, (31, 17), np.float32)
    one, many = (
        _fft.overlap_save(x, w, np.empty_like(x), axes=(0, 1), pad_before=(15, 8), workers=n)
        for n in (1, workers)
    )
    np.testing.assert_array_equal(one, many)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_not_safe_with(value):
    x, w = np.ones(100), np.ones(5)
    x[50] = value
    assert not _fft.is_safe(x, w)
    assert not _fft.is_safe(w, x)
