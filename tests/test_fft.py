"""Overlap-save against direct sums in higher precision."""

import functools
import itertools
import math
import threading

import numpy as np
import pytest
import scipy.fft
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st

from pyconvc import _fft, signal
from pyconvc._fft import _costs, _native, _plan, _safe, _save, _tables, _threads, _transform

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
    x, w = x.astype(np.clongdouble), w.astype(np.clongdouble)
    for a, before in zip(axes, pad_before, strict=True):
        length = out_shape[a] + w.shape[a] - 1
        widths = [(0, 0)] * x.ndim
        widths[a] = (before, max(0, length - before - x.shape[a]))
        value = {"constant_values": fill} if boundary == "constant" else {}
        x = np.pad(x, widths, mode=PAD_MODES[boundary], **value)
        x = x.take(range(length), axis=a)
    y = np.zeros(out_shape, np.clongdouble)
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


def assert_close(out, expected, x, w, fill=0):
    scale = np.linalg.norm(w) * (np.linalg.norm(x) + abs(fill) * math.sqrt(out.size + w.size))
    np.testing.assert_allclose(out, expected, rtol=0, atol=20 * np.finfo(out.dtype).eps * scale)


def check(x, w, out_shape, axes, pad_before, boundary="constant", fill=0, workers=1):
    out = np.full(out_shape, np.nan, x.dtype)
    before = x.copy(), w.copy()
    _fft.overlap_save(
        x, w, out, axes=axes, pad_before=pad_before, boundary=boundary, fill=fill, workers=workers
    )
    assert_close(out, direct(x, w, out_shape, axes, pad_before, boundary, fill), x, w, fill)
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(w, before[1])


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


def only_scipy(patch):
    """Transforms are those of scipy.fft, as where somebody set a backend."""
    patch.setattr(_native, "plan", lambda *_, **__: None)


@pytest.fixture
def by_scipy(monkeypatch):
    only_scipy(monkeypatch)


@settings(deadline=None, max_examples=200)
@given(problems(), st.sampled_from([0, 0.5]))
def test_direct_sum(problem, fill):
    check(*problem, fill=fill)


@settings(deadline=None, max_examples=200)
@given(problems(), st.sampled_from([0, 0.5]))
def test_direct_sum_by_scipy(problem, fill):
    with pytest.MonkeyPatch.context() as patch:
        only_scipy(patch)
        check(*problem, fill=fill)


@settings(deadline=None, max_examples=200)
@given(problems(), st.sampled_from([1, 2000, 20000]), st.integers(0, 100), st.integers(1, 2))
def test_seams_of_any_tiling(problem, block_bytes, choice, workers):
    """Every tiling on offer gives the same sums, whole or in blocks, in one step or four."""

    def any_plan(x_shape, w_shape, out_shape, axes, dtype, *, pad_before, boundary):
        costs = _costs.Costs(np.dtype(dtype).char)
        picked = []
        for a, before in zip(axes, pad_before, strict=True):
            k, m = w_shape[a], out_shape[a]
            pad = before if boundary == "constant" else None
            options = _plan._even(x_shape[a], k, m, pad, costs)
            if m > 2:
                tile = m // 2 - choice % (m // 2)
                options.append((tile + k - 1, tile, m % tile and m % tile + k - 1))
            picked.append(options[choice % len(options)])
        fft, tile, rest = zip(*picked, strict=True)
        split = ()
        if len(axes) == 1 and choice % 3 and not rest[0]:
            split = (choice % 5 + 1, -(-fft[0] // (choice % 5 + 1)))
            fft = (math.prod(split),)
        return _fft.Plan(fft, tile, rest, split, 0.0, 0)

    with pytest.MonkeyPatch.context() as patch:
        only_scipy(patch)
        patch.setattr(_save, "BLOCK_BYTES", block_bytes)
        patch.setattr(_save, "SPECTRA_BYTES", block_bytes)
        patch.setattr(_save, "plan", any_plan)
        check(*problem, fill=0.5, workers=workers)


ROWS = st.sampled_from(_tables.rows(96))
COLUMNS = st.sampled_from(_tables.columns(96, "f"))  # which float64 has too


def forget_plans():
    for kept in (_native._plan, _native._cheapest):
        kept.cache_clear()


@settings(deadline=None, max_examples=200)
@given(problems(), ROWS, COLUMNS, st.sampled_from([0, 0.5]), st.integers(1, 5), st.booleans())
def test_seams_of_any_tile(problem, rows, columns, fill, workers, keep):
    """Every tile that the taps fit gives the same sums, however workers share the parts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            _native, "_shapes", lambda *_: tuple(map(np.array, ([rows], [columns], [1.0])))
        )
        patch.setattr(_native, "SPECTRA_BYTES", 64 << 20 if keep else 0)
        forget_plans()
        check(*problem, fill=fill, workers=workers)
    forget_plans()


@pytest.mark.parametrize(
    "x_shape, w_shape, out_shape, pads, rows",
    [
        ((20, 7, 38), (9, 16, 18), (2, 17, 48), (1, 11, 14), 128),
        ((27, 5, 22), (1, 10, 14), (6, 11, 23), (0, 6, 1), 108),
    ],
)
def test_lines_that_make_no_whole_depth(x_shape, w_shape, out_shape, pads, rows):
    """Below the last whole depth of a tile there are lines that nothing may come back from."""
    rng = np.random.default_rng(11)
    x, w = (random_array(rng, shape, np.float64) for shape in (x_shape, w_shape))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_native, "_shapes", lambda *_: tuple(map(np.array, ([rows], [32], [1.0]))))
        forget_plans()
        sizes = _native.plan(x_shape, w_shape, out_shape, (0, 1, 2), x.dtype, pad_before=pads)
        assert 2 * rows % sizes.shape[2] > 0
        check(x, w, out_shape, (0, 1, 2), pads)
    forget_plans()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_side_of_a_tile(dtype):
    """Each length of a side transforms: a line in one tile, against scipy's transforms."""
    rng = np.random.default_rng(8)
    columns = _tables.columns(1024, np.dtype(dtype).char)
    shapes = [(rows, columns[0]) for rows in _tables.rows(1024)] + [(4, n) for n in columns]
    for shape in shapes:
        size = 2 * math.prod(shape)
        x, w = (random_array(rng, n, dtype) for n in (5 * size // 8, 3 * size // 8))
        out = np.empty(len(x) + len(w) - 1, dtype)
        sizes = _native.NativePlan((*shape, 1), (size,), out.shape, 0.0, 0.0)
        given = {"boundary": "constant", "fill": 0, "workers": 1}
        _native.convolve(x, w, out, sizes, pads=(len(w) - 1,), **given)
        expected = scipy.signal.fftconvolve(x.astype(float), w.astype(float))
        assert_close(out, expected, x, w)


@pytest.mark.parametrize("length", [4, 12, 20, 64, 480])
@pytest.mark.parametrize(("start", "whole"), [(0, 1), (1, 4), (-5, 48)])
def test_passes_end_with_all_roots(length, start, whole):
    """What a polynomial modulo z^n - c is cut into is modulo z - r for each r with r^n = c."""
    passes = _tables.radices(length)
    assert math.prod(passes) == length
    _, found = _tables._factors(np.array([[start]]), whole, passes, "d")
    turns, rest = np.divmod(found[0] - start, whole)
    assert not rest.any()
    assert sorted(turns % length) == list(range(length))


@pytest.mark.parametrize("char", "fdFD")
def test_roots_are_rounded_once(char):
    """Those that tables hold are the nearest numbers, as far as the platform can tell."""
    whole = 4 * 48 * 144
    angles = np.arange(-whole, whole) * (8 * np.arctan(np.longdouble(1)) / whole)
    found = _tables.roots(np.arange(-whole, whole), whole, char)
    narrow = found.astype(np.result_type(char, np.complex64))
    unit = np.finfo(char).eps / 2
    slack = 0.51 if np.finfo(np.longdouble).eps < np.finfo(char).eps else 3
    assert abs(narrow.real - np.cos(angles)).max() <= slack * unit
    assert abs(narrow.imag - np.sin(angles)).max() <= slack * unit


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("n", "taps"), [(3000, 300), (100_000, 255), (40_000, 4095)])
def test_rounding_of_lines(n, taps, dtype):
    """Root mean square of the error over that of the output: about log2 of the tile times u / 4."""
    rng = np.random.default_rng(n)
    x, w = random_array(rng, n, dtype), random_array(rng, taps, dtype)
    out = np.empty(n - taps + 1, dtype)
    _fft.overlap_save(x, w, out, axes=(0,), pad_before=(0,))
    some = rng.integers(0, out.size, 2000)
    windows = np.lib.stride_tricks.sliding_window_view(x, taps)[some]
    exact = (windows.astype(np.longdouble) * w[::-1].astype(np.longdouble)).sum(axis=1)
    unit = np.finfo(dtype).eps / 2
    error, level = (np.sqrt(np.mean(np.square(v))) for v in (out[some] - exact, exact))
    assert error <= 5.5 * unit * level


def test_transforms_of_the_library_serve():
    """Lines, planes and volumes, unless somebody set a backend."""
    line = (5000,), (301,), (5000,), (0,)
    assert _native.plan(*line, np.float32)
    assert _native.plan((9, 300, 300), (1, 9, 9), (9, 300, 300), (1, 2), np.float64)
    assert _native.plan(*line, np.complex64)
    assert _native.plan((30,) * 3, (5,) * 3, (30,) * 3, (0, 1, 2), np.float64)
    assert not _native.plan((9, 10**6, 9), (2, 10**5, 2), (9, 10**6, 9), (0, 1, 2), np.float64)
    assert not _native.plan((9,) * 4, (5,) * 4, (9,) * 4, (0, 1, 2, 3), np.float64)
    assert not _native.plan((10**7,), (10**7,), (10**7,), (0,), np.float64)  # no tile is so large
    with scipy.fft.set_backend(CountingBackend()):
        assert not _native.plan(*line, np.float32)


@pytest.mark.parametrize("dtype", DTYPES)
def test_strided_arrays(dtype):
    rng = np.random.default_rng(1)
    x = random_array(rng, (40, 60), dtype)[::-2, ::3].T
    w = random_array(rng, (7, 5), dtype)[::-1, ::-1]
    out = np.full((40, 40), np.nan, dtype)[::2, ::-2].T
    _fft.overlap_save(x, w, out, axes=(0, 1), pad_before=(3, 2))
    assert_close(out, direct(x, w, out.shape, (0, 1), (3, 2)), x, w)


def test_nothing_to_do():
    x, w = np.ones((3, 4)), np.ones((1, 2))
    assert _fft.overlap_save(x, w, np.empty((3, 0)), axes=(1,), pad_before=(0,)).size == 0
    out = _fft.overlap_save(x, w[:, :0], np.ones((3, 4)), axes=(1,), pad_before=(0,))
    np.testing.assert_array_equal(out, 0)


def test_no_axes_multiplies():
    x, w = np.arange(6.0).reshape(2, 3), np.array([[2.0]])
    out = _fft.overlap_save(x, w, np.empty((2, 3)), axes=(), pad_before=())
    np.testing.assert_array_equal(out, 2 * x)


@pytest.mark.parametrize(
    "x_shape, w_shape, axes, wanted",
    [
        ((40, 50), (1, 9), (0, 1), (1,)),  # lines
        ((40, 50), (9, 1), (0, 1), (0, 1)),  # planes: lines of columns would be stepped over
        ((40, 3), (9, 1), (0, 1), (0,)),
        ((40, 50), (9, 1), (0,), (0,)),  # a batch of columns
        ((4, 40, 50), (1, 9, 3), (2, 0, 1), (1, 2)),
        ((4, 40, 50), (1, 1, 1), (0, 1, 2), ()),
    ],
)
def test_axes_with_one_tap(x_shape, w_shape, axes, wanted):
    assert _save.transformed_axes(x_shape, w_shape, x_shape, axes) == wanted
    rng = np.random.default_rng(0)
    x, w = (random_array(rng, shape, np.float64) for shape in (x_shape, w_shape))
    pads = [w_shape[a] // 2 for a in axes]
    check(x, w, x_shape, axes, pads)
    sizes = _fft.expected(x_shape, w_shape, x_shape, axes, x.dtype)
    if wanted:
        assert len(sizes.fft) == len(wanted)
        assert _fft.is_safe(x, w, axes=wanted, fft=sizes.fft)


def test_many_kernels():
    """One image, more spectra than are kept."""
    rng = np.random.default_rng(4)
    x, w = rng.standard_normal((1, 50, 40)), rng.standard_normal((6, 9, 7))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_native, "SPECTRA_BYTES", 0)
        check(x, w, (6, 50, 40), (1, 2), (4, 3), workers=2)
        only_scipy(patch)
        patch.setattr(_save, "SPECTRA_BYTES", 0)
        check(x, w, (6, 50, 40), (1, 2), (4, 3), workers=2)


@pytest.mark.parametrize(("rows", "columns"), [(17, 9), (32, 40), (40, 1)])
@pytest.mark.parametrize("sign", [1, -1])
def test_twiddles(rows, columns, sign):
    length = 2 * rows * columns
    angle = np.outer(np.arange(rows), np.arange(columns)) * (2 * np.pi / length)
    table = _transform._twiddles(rows, columns, sign * length, "D")
    np.testing.assert_allclose(table, np.exp(-1j * sign * angle), rtol=0, atol=1e-15)


# ---- plan --------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=100)
@given(st.integers(1, 10**6), st.integers(1, 10**5), st.sampled_from("fdFD"))
def test_plan_of_a_line_covers_it(n, taps, char):
    found = _fft.plan((n,), (taps,), (n + taps - 1,), (0,), char)
    (fft,), (tile,) = found.fft, found.tile
    assert 1 <= tile <= n + taps - 1
    assert fft >= (tile if tile == n + taps - 1 else tile + taps - 1)
    assert not found.split or math.prod(found.split) == fft
    assert found.seconds > 0
    assert found.extra_bytes > 0


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.integers(1, 3000), st.integers(1, 100)), min_size=2, max_size=3))
def test_parts_cover_the_output_once(axes):
    n, taps = zip(*axes, strict=True)
    outs = tuple(m + k - 1 for m, k in axes)
    found = _fft.plan(n, taps, outs, range(len(n)), "d")
    covered = [np.zeros(m, int) for m in outs]
    for where, fft, tile in found.parts(outs):
        for count, s, f, v, k, m in zip(covered, where, fft, tile, taps, outs, strict=True):
            count[s] += 1
            assert f >= v + k - 1 or v == m
    for axis, count in enumerate(covered):
        assert (
            count == math.prod(2 if r else 1 for a, r in enumerate(found.rest) if a != axis)
        ).all()


def test_plan_does_not_depend_on_the_batch():
    one = _fft.plan((1, 500, 400), (1, 31, 31), (1, 500, 400), (1, 2), "f")
    many = _fft.plan((64, 500, 400), (1, 31, 31), (64, 500, 400), (1, 2), "f")
    assert (one.fft, one.tile, one.rest) == (many.fft, many.tile, many.rest)
    assert many.seconds > one.seconds


def test_plan_bounds_memory():
    found = _fft.plan((8192, 8192), (31, 31), (8192, 8192), (0, 1), "d")
    assert found.extra_bytes < 24 << 20


# ---- backends and threads ----------------------------------------------------------------------


class CountingBackend:
    """Backend that counts the calls and hands them on."""

    __ua_domain__ = "numpy.scipy.fft"

    def __init__(self):
        self.calls = []

    def __ua_function__(self, method, args, kwargs):
        self.calls.append(method.__name__)
        with scipy.fft.skip_backend(self):
            return method(*args, **kwargs)


@pytest.mark.parametrize("workers", [1, 2])
def test_backend_makes_every_transform(workers, monkeypatch):
    monkeypatch.setattr(_save, "BLOCK_BYTES", 1 << 14)
    rng = np.random.default_rng(2)
    x, w = rng.standard_normal((600, 700)), rng.standard_normal((5, 5))
    backend, made = CountingBackend(), []
    for name in ("_block", "_spectra"):
        method = getattr(_save._Part, name)
        noted = functools.partialmethod(note, method=method, made=made)
        monkeypatch.setattr(_save._Part, name, noted)
    with scipy.fft.set_backend(backend):
        check(x, w, (604, 704), (0, 1), (4, 4), workers=workers)
    assert made.count("_block") > 1
    assert backend.calls.count("rfft") == len(made)
    assert backend.calls.count("irfft") == made.count("_block")


def note(part, *arguments, method, made, **options):
    made.append(method.__name__)
    return method(part, *arguments, **options)


def test_threads_only_without_a_backend():
    assert _threads.threads_may_call_scipy()
    with scipy.fft.set_backend(CountingBackend()):
        assert not _threads.threads_may_call_scipy()
        with scipy.fft.set_backend("scipy", only=True):
            assert not _threads.threads_may_call_scipy()
    scipy.fft.set_global_backend(CountingBackend())
    try:
        assert not _threads.threads_may_call_scipy()
    finally:
        scipy.fft.set_global_backend("scipy", try_last=True)
    assert _threads.threads_may_call_scipy()


def test_blocks_are_shared(monkeypatch, by_scipy):
    """Two threads meet within their first blocks."""
    monkeypatch.setattr(_save, "BLOCK_BYTES", 1 << 14)
    threads, meeting = set(), threading.Barrier(2)
    store = _save.store

    def meet(*arguments):
        if threading.get_ident() not in threads:
            threads.add(threading.get_ident())
            meeting.wait(timeout=60)
        store(*arguments)

    monkeypatch.setattr(_save, "store", meet)
    x = np.random.default_rng(7).standard_normal((300, 300))
    check(x, np.ones((5, 5)), (300, 300), (0, 1), (2, 2), workers=2)
    assert len(threads) == 2


@pytest.mark.parametrize("scipys", [False, True])
@pytest.mark.parametrize("shape", [(300, 700), (1, 200_000)])
def test_workers_give_the_same_bits(shape, scipys, monkeypatch):
    if scipys:
        only_scipy(monkeypatch)
    rng = np.random.default_rng(3)
    x, w = random_array(rng, shape, np.float32), random_array(rng, (1, 301), np.float32)
    results = [
        _fft.overlap_save(x, w, np.empty_like(x), axes=(0, 1), pad_before=(0, 8), workers=n)
        for n in (1, 2, 3, 5)
    ]
    for other in results[1:]:
        np.testing.assert_array_equal(results[0], other)


@pytest.mark.parametrize("scipys", [False, True])
def test_batch_gives_the_same_bits(scipys, monkeypatch):
    if scipys:
        only_scipy(monkeypatch)
    rng = np.random.default_rng(5)
    x, w = random_array(rng, (7, 3000), np.float32), random_array(rng, (1, 301), np.float32)
    whole = _fft.overlap_save(x, w, np.empty_like(x), axes=(1,), pad_before=(150,))
    for i in range(len(x)):
        row = x[i : i + 1]
        alone = _fft.overlap_save(row, w, np.empty_like(row), axes=(1,), pad_before=(150,))
        np.testing.assert_array_equal(whole[i : i + 1], alone)


def test_error_in_a_thread_is_raised(monkeypatch, by_scipy):
    monkeypatch.setattr(_save, "BLOCK_BYTES", 1)
    monkeypatch.setattr(_save, "store", lambda *_: 1 / 0)
    x = np.ones(10_000)
    with pytest.raises(ZeroDivisionError):
        _fft.overlap_save(x, np.ones(100), np.empty(9901), axes=(0,), pad_before=(0,), workers=2)


# ---- error bound -------------------------------------------------------------------------------


def promised(x, w, fft):
    """What the docstring of `is_safe` promises for each output of the full convolution."""
    u = np.finfo(x.dtype).eps / 2
    half = (len(w) + 1) // 2
    padded = np.pad(np.abs(x), len(w) - 1 + half)
    near = np.lib.stride_tricks.sliding_window_view(padded, len(w) + 2 * half).max(axis=1)
    near[near == 0] = np.abs(x).max()
    return math.sqrt(u) * math.log2(fft) * np.abs(w).sum(dtype=float) * near


def full_error(x, w):
    """Error of each output of the full convolution, and the plan's transform length."""
    axes, pads, m = (0,), (len(w) - 1,), len(x) + len(w) - 1
    found = _fft.expected(x.shape, w.shape, (m,), axes, x.dtype)
    out = _fft.overlap_save(x, w, np.empty(m, x.dtype), axes=axes, pad_before=pads)
    exact = np.convolve(x.astype(np.longdouble), w.astype(np.longdouble))
    return np.abs(out - exact).astype(float), found.fft


@st.composite
def uneven_lines(draw):
    """Noise with steps, silent stretches and ramps of level, and a kernel with an envelope."""
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    digits = draw(st.floats(0, 12))
    levels = rng.uniform(-digits, 0, draw(st.integers(2, 12)))
    levels[rng.random(len(levels)) < 0.3] = -np.inf
    if draw(st.booleans()):
        level = np.repeat(levels, 400)
    else:
        level = np.linspace(0, -digits, 400 * len(levels))
    x = rng.standard_normal(len(level)) * 10**level
    taps = draw(st.integers(8, 300))
    w = rng.standard_normal(taps) * 10 ** np.linspace(0, -draw(st.floats(0, 10)), taps)
    return x.astype(dtype), w.astype(dtype)


@settings(deadline=None, max_examples=200)
@given(uneven_lines())
def test_safe_keeps_the_promise(line):
    x, w = line
    error, fft = full_error(x, w)
    if _fft.is_safe(x, w, fft=fft):
        assert (error <= promised(x, w, math.prod(fft))).all()


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.tuples(st.integers(1, 300), st.integers(1, 40)), min_size=1, max_size=3),
    st.sampled_from(DTYPES),
    st.integers(1, 3),
    st.sampled_from([0, np.nan, np.inf]),
)
def test_loudest_of_each_part(axes, dtype, workers, strange):
    """Planes and lines, which the C library reads, and volumes, against maxima part by part."""
    shape, lengths = zip(*axes, strict=True)
    shape = tuple(n % 20 + 1 if len(shape) == 3 else n for n in shape)
    x = random_array(np.random.default_rng(len(shape)), shape, dtype)
    if strange:
        x.flat[x.size // 3] = -strange
    sizes = np.maximum(np.abs(x.real), np.abs(x.imag))
    found, softest, loudest = _safe._levels(x, range(x.ndim), lengths, workers)
    ends = [range(0, max(1, n // k) * k, k) for n, k in zip(shape, lengths, strict=True)]
    for at in np.ndindex(found.shape):
        part = tuple(
            slice(starts[i], starts[i + 1] if i + 1 < len(starts) else None)
            for i, starts in zip(at, ends, strict=True)
        )
        np.testing.assert_array_equal(found[at], sizes[part].max())
    np.testing.assert_array_equal(loudest, found.max())
    assert softest == found.min() or np.isnan(found).any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("samples", "taps"), [(100_000, 255), (20_000, 20_000), (60_001, 3000)])
@pytest.mark.parametrize("workers", [1, 3])
def test_a_line_is_heard_by_the_way(samples, taps, dtype, workers):
    """Transforms find the same levels of its parts as a look of its own."""
    rng = np.random.default_rng(samples)
    x, w = (rng.standard_normal(n).astype(dtype) for n in (samples, taps))
    x[-1] = np.nan
    out = np.empty(samples + taps - 1, dtype)
    sizes = _native.plan(x.shape, w.shape, out.shape, (0,), dtype)
    heard = _safe.Heard.room(x, w, sizes)
    heard.levels[...] = -1
    given = {"axes": (0,), "pad_before": (taps - 1,), "workers": workers}
    _fft.overlap_save(x, w, out, **given, heard=heard)
    expected, *_ = _safe._levels(x, (0,), [(taps + 1) // 2])
    np.testing.assert_array_equal(heard.levels, expected)
    assert not _fft.is_safe(x, w, fft=sizes.fft, heard=heard)
    assert _safe.Heard.room(x[::2], w, sizes) is None


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_unsafe_lines_are_summed_directly(dtype):
    """`auto` takes back transforms that it finds unsafe by the way, bit by bit."""
    x = np.random.default_rng(3).standard_normal(200_000).astype(dtype)
    w = np.ones(999, dtype)
    assert signal.choose(x, w).method == "fft"
    for spoil in (np.nan, np.inf, np.finfo(dtype).max ** 0.75):
        x[777] = spoil
        assert signal.choose(x, w).method == "direct"
        auto, direct = (signal.convolve(x, w, "same", m) for m in ("auto", "direct"))
        np.testing.assert_array_equal(auto, direct)


def quiet_stretch(dtype):
    x = np.sin(np.arange(4000.0)) + 0.5
    x[2000:2500] *= np.finfo(dtype).eps  # shorter than any tile: it has loud company in each
    return x.astype(dtype), np.ones(99, dtype)


def one_loud_sample(dtype):
    x = np.cos(np.arange(4000.0))
    x[1000] = 100 / np.finfo(dtype).eps
    return x.astype(dtype), np.ones(99, dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("make", [quiet_stretch, one_loud_sample])
def test_unsafe_would_break_the_promise(make, dtype):
    x, w = make(dtype)
    error, fft = full_error(x, w)
    assert not _fft.is_safe(x, w, fft=fft)
    assert (error > promised(x, w, math.prod(fft))).any()


def powers(silent):
    return np.array([0.0] * silent + [10.0 ** (9 * i) for i in range(10)])


def tails(n=1000):
    t = (np.arange(n) - n / 2) / 16
    return np.exp(-0.5 * t * t)


@pytest.mark.parametrize(
    ("x", "w"),
    [
        (powers(10_000), powers(10_000)),
        (tails(), tails()),
        (np.ones(1000), 0.5 ** np.arange(200)),
        (np.float32(0.97) ** np.arange(4000, dtype=np.float32), np.ones(50, np.float32)),
        (np.full(1000, 1e300), np.full(100, 1e10)),
        (np.full(1000, 1e-200), np.full(100, 1e-150)),
    ],
    ids=["powers", "tails", "decaying taps", "decaying input", "overflow", "underflow"],
)
def test_unsafe(x, w):
    assert not _fft.is_safe(x, w)


def silent_stretches():
    x = np.random.default_rng(6).standard_normal(50_000)
    x[::3000] = 0
    x[10_000:30_000] = 0
    return x


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64])
@pytest.mark.parametrize(
    ("x", "w"),
    [
        (silent_stretches(), np.hanning(255)),
        (silent_stretches(), np.r_[np.zeros(500), np.sinc(np.arange(-50, 50) / 4), np.zeros(9)]),
        (np.arange(100 * 90).reshape(100, 90) % 256, np.outer(tails(31), tails(31))),
        (np.zeros(1000), np.ones(10)),
        (np.ones(1000), np.zeros(10)),
    ],
    ids=["silence", "zero ends", "pixels", "all silent", "no kernel"],
)
def test_safe(x, w, dtype):
    assert _fft.is_safe(np.asarray(x, dtype), np.asarray(w, dtype))


def test_only_the_tile_counts():
    """A slow fade over far more than the range that one tile allows."""
    x = np.cos(np.arange(400_000.0)) * np.logspace(0, -12, 400_000)
    x, w = x.astype(np.float32), np.ones(101, np.float32)
    assert not _fft.is_safe(x, w)
    assert _fft.is_safe(x, w, fft=(2048,))
    assert not _fft.is_safe(x, w, fft=(2048,), boundary="circular")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", DTYPES)
def test_unsafe_with(value, dtype):
    x, w = np.ones((30, 40), dtype), np.ones((5, 5), dtype)
    assert not _fft.is_safe(x, w, fill=value)
    x[17, 39] = value
    assert not _fft.is_safe(x, w)
    assert not _fft.is_safe(w, x)
    assert not _fft.is_safe(x.T[::-1], w)
