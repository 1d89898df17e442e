"""Kernels that are outer products of vectors: which are found, and the passes along each axis."""

import functools
import itertools

import cases
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pyconvc import _filtering, _methods, reference, signal

FLOATING = cases.FLOATS + cases.COMPLEXES
RULES = {"mirror": "reflect", "edge": "replicate"}  # other names of the reference


def outer(vectors):
    return functools.reduce(np.multiply.outer, vectors)


def factors(w):
    return _methods.factors(w, tuple(range(w.ndim)))


def assert_factors(w, ulps=4):
    """The vectors give the kernel again."""
    vectors = factors(w)
    assert vectors is not None, f"not found in {w!r}"
    assert [v.shape for v in vectors] == [(n,) for n in w.shape]
    assert all(v.dtype == w.dtype for v in vectors)
    with np.errstate(over="ignore"):
        again = outer(vectors)
    if w.dtype.kind in "biu":
        np.testing.assert_array_equal(again, w)
    else:
        assert (np.abs(again - w) <= ulps * np.finfo(w.dtype).eps * np.abs(w)).all()


@st.composite
def integer_kernels(draw):
    """Outer products of integer vectors that fit their type, up to its limits."""
    dtype = draw(st.sampled_from(cases.INTEGERS))
    limits = np.iinfo(dtype)
    rank = draw(st.integers(2, 4))
    most = draw(st.sampled_from([1, int(float(limits.max) ** (1 / rank))]))
    small = st.integers(-most if limits.min else 0, most)
    large = st.one_of(small, st.sampled_from([int(limits.min), int(limits.max)]))
    vectors = [
        draw(st.lists(large if axis == 0 else small, min_size=2, max_size=5))
        for axis in range(rank)
    ]
    w = outer([np.array(v, object) for v in draw(st.permutations(vectors))])
    assume(all(limits.min <= value <= limits.max for value in w.flat))
    return w.astype(dtype)


# ---- what is found


@given(integer_kernels())
def test_integers(w):
    if w.any():
        assert_factors(w)
    else:
        assert factors(w) is None


@pytest.mark.parametrize("dtype", cases.INTEGERS, ids=str)
def test_integers_at_the_limits(dtype):
    """The least one has no positive twin."""
    limits = np.iinfo(dtype)
    for value in (limits.min, limits.max, limits.max // 2 + 1):
        if value:
            assert_factors(np.full((3, 2), value, dtype))
            assert_factors(outer([np.ones(2, dtype), np.array([1, 0, value], dtype)]))


@given(st.integers(0, 2**32 - 1), st.sampled_from(FLOATING), st.integers(2, 40), st.integers(2, 40))
def test_rounded_products(seed, dtype, n, k):
    """Every element was rounded once, and is found again all the same."""
    rng = np.random.default_rng(seed)
    assert_factors(outer([cases.values(rng, n, dtype), cases.values(rng, k, dtype)]))


@pytest.mark.parametrize("dtype", cases.DTYPES, ids=str)
def test_usual_kernels(dtype):
    ones, steps = np.ones(5, dtype), np.array([1, 2, 1], dtype)
    for vectors in (
        [ones, ones],
        [steps, steps],
        [ones, steps, ones],
        [steps, ones[:1], ones, steps],
    ):
        assert_factors(outer(vectors))
    if dtype.kind in "fci":
        assert_factors(outer([steps, np.array([1, 0, -1], dtype)]))  # Sobel
        assert_factors(outer([np.array([1, -1, 1, -1], dtype)] * 2))  # a chequerboard


@pytest.mark.parametrize("dtype", FLOATING, ids=str)
@pytest.mark.parametrize("sigma", [0.5, 1.3, 4.0])
def test_gaussians(sigma, dtype):
    """As they are made in practice: normalised after, or before, the product."""
    at = np.arange(-13, 14)
    g = np.exp(-0.5 * (at / sigma) ** 2)
    whole = outer([g, g])
    for w in (whole / whole.sum(), outer([g / g.sum()] * 2), outer([g / g.sum()] * 3)):
        with np.errstate(under="ignore"):
            w = np.where(w > 1e-30, w, 0).astype(dtype)
        if (w != 0).all():
            assert_factors(w)


def test_zeros_among_the_vectors():
    assert_factors(outer([np.array([0.0, 2, 0, 3]), np.array([0.0, 0, 1])]))
    assert_factors(outer([np.array([0, 2, 0, 3]), np.array([0, 0, -1])]))
    assert_factors(outer([np.array([False, True]), np.array([True, False, True])]))


def test_axes_in_any_order_and_between_others():
    a, b = np.array([1.0, 2, 3]), np.array([4.0, 5])
    w = outer([a, np.ones(1), b])
    for axes, taps in (((0, 2), (3, 2)), ((2, 0), (2, 3)), ((0, 1, 2), (3, 1, 2))):
        vectors = _methods.factors(w, axes)
        assert tuple(v.size for v in vectors) == taps
        np.testing.assert_allclose(outer(vectors).ravel()[[0, -1]], [4, 15])


@pytest.mark.parametrize("view", cases.VIEWS)
def test_any_layout(view):
    """Kernels with byte order and alignment as they come are made canonical before."""
    w = np.multiply.outer(np.arange(1.0, 5), np.arange(2.0, 7))
    room = cases.VIEWS[view](np.random.default_rng(0), w.shape, float)
    if room.flags.writeable and view not in ("overlapping", "zero_stride"):
        room[...] = w
        x = cases.random((30, 31))
        got = signal.convolve(x, room, method="separable")
        cases.assert_same(got, signal.convolve(x, w, method="separable"))


# ---- what is not


@given(integer_kernels(), st.data())
def test_one_more_is_too_much(w, data):
    """An element that is changed by one gives a kernel of rank 2, or of rank 1 again."""
    at = tuple(data.draw(st.integers(0, n - 1)) for n in w.shape)
    changed = w.copy()
    changed[at] ^= 1
    assume(not rank_is_one(changed))
    assert factors(changed) is None


def rank_is_one(w):
    """By minors: every unfolding of the kernel has two-by-two determinants of zero alone."""
    for axis in range(w.ndim):
        rows = np.moveaxis(w, axis, 0).reshape(w.shape[axis], -1).astype(object)
        for r, s in itertools.combinations(rows, 2):
            if (np.multiply.outer(r, s) != np.multiply.outer(s, r)).any():
                return False
    return True


@pytest.mark.parametrize("power", [-0.7, -0.51, 0.4, 0.7])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_products_of_any_size(dtype, power):
    """Products of two taps overflow or vanish; the kernel is one all the same."""
    size = float(np.finfo(dtype).max) ** power
    w = outer([np.sqrt(np.arange(3.0, 9)), np.cbrt(np.arange(2.0, 9))])
    assert_factors((w * size).astype(dtype))


@pytest.mark.parametrize("dtype", FLOATING, ids=str)
def test_nearly_a_product(dtype):
    w = outer([np.hanning(9)[1:-1], np.hamming(8)]).astype(dtype)
    eps = np.finfo(dtype).eps
    assert_factors(w)
    for at in [(0, 0), (2, 5), (6, 7), (3, 3)]:
        changed = w.copy()
        changed[at] *= 1 + 40 * eps
        assert factors(changed) is None


@pytest.mark.parametrize("dtype", [*FLOATING, *cases.EXACT], ids=str)
def test_no_products(dtype):
    ones = np.ones((3, 4), dtype)
    holed, cross = ones.copy(), np.zeros((3, 3), dtype)
    holed[1, 2] = 0
    cross[1, :] = cross[:, 1] = 1
    for w in (np.eye(3, dtype=dtype), holed, cross, np.zeros((3, 4), dtype), ones[:0]):
        assert factors(w) is None


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", FLOATING, ids=str)
def test_no_products_of_infinite_taps(dtype, value):
    for at in [(0, 0), (1, 2), (2, 3)]:
        w = np.ones((3, 4), dtype)
        w[at] = value
        assert factors(w) is None


def test_vectors_need_no_passes():
    for w in (np.ones((5, 1)), np.ones((1, 5)), np.ones((1, 1)), np.ones(5)):
        assert factors(w) is None
    for x, w in (((30, 40), (5, 1)), ((300,), (5,)), ((30, 40), (1, 1))):
        x, w = cases.random(x), cases.random(w, seed=1)
        got = signal.convolve(x, w, method="separable")
        assert got.tobytes() == signal.convolve(x, w, method="direct").tobytes()


def test_different_filters_have_no_common_vectors():
    w = np.ones((4, 3, 3)) * np.arange(1, 5)[:, None, None]
    assert _methods.factors(w, (1, 2)) is None
    with pytest.raises(ValueError, match="separable"):
        signal.convolve(np.ones((4, 9, 9)), w, axes=(1, 2), method="separable")


# ---- the passes


@given(
    st.integers(2, 4),
    st.sampled_from(cases.DTYPES),
    st.sampled_from(cases.MODES),
    st.lists(st.sampled_from(["fill", "wrap", "symm", "mirror", "edge"]), min_size=4, max_size=4),
    st.integers(0, 3),
    st.data(),
)
@pytest.mark.parametrize("name", ["convolve", "correlate"])
def test_passes(name, rank, dtype, mode, rules, fill, data):
    lengths = st.integers(1, (60, 20, 9)[rank - 2])
    x = cases.random([data.draw(lengths) for _ in range(rank)], dtype)
    small = st.integers(0 if dtype.kind in "bu" else -2, 3)
    vectors = [data.draw(st.lists(small, min_size=1, max_size=6)) for _ in range(rank)]
    w = outer([np.array(v) for v in vectors]).astype(dtype)
    assume(factors(w) is not None)
    assume(mode != "valid" or np.less_equal(w.shape, x.shape).all())
    got = getattr(signal, name)(x, w, mode, "separable", boundary=rules[:rank], fillvalue=fill)
    twin = getattr(reference.signal, name)
    rules = [RULES.get(rule, rule) for rule in rules[:rank]]
    want = twin(x, w, mode, boundary=rules, fillvalue=fill)
    scale = None
    if dtype.kind in "fc":
        scale = max(1, np.abs(x).max(initial=fill) * np.abs(w).sum())
    cases.assert_same(got, want, terms=8, scale=scale, rules=rules, mode=mode)


@pytest.mark.parametrize("boundary", ["fill", "wrap", "symm", "mirror", "edge"])
def test_seams_between_bands(boundary, monkeypatch):
    """More axes than a chain takes: intermediates are cut into bands; the cuts are not seen."""
    x = cases.random((5, 4, 30, 6), "float32")
    w = outer([np.arange(1.0, n) for n in (3, 4, 6, 4)]).astype("f4")
    whole = signal.convolve(x, w, "same", "separable", boundary=boundary, fillvalue=2)
    rule = RULES.get(boundary, boundary)
    want = reference.signal.convolve(x, w, "same", boundary=rule, fillvalue=2)
    cases.assert_same(whole, want, terms=8, scale=np.abs(w).sum() * 4)
    for size in (1, 1 << 10, 1 << 12):
        monkeypatch.setattr(_methods, "BAND_BYTES", size)
        banded = signal.convolve(x, w, "same", "separable", boundary=boundary, fillvalue=2)
        assert banded.tobytes() == whole.tobytes()


@pytest.mark.parametrize("dtype", [*FLOATING, *cases.EXACT[::3]], ids=str)
@pytest.mark.parametrize("mode", cases.MODES)
@pytest.mark.parametrize(
    ("shape", "taps"),
    [
        ((70, 2500), (4, 7)),
        ((600, 90), (21, 40)),
        ((40, 40, 300), (5, 9, 3)),
        ((3, 400, 300), (1, 31, 2)),
        ((30, 20, 40), (25, 2, 3)),
    ],
)
def test_seams_between_blocks(shape, taps, mode, dtype):
    """Sweeps are cut into blocks, which differ in size with the mode; the direct sum has others."""
    x = cases.random(shape, dtype)
    symmetric = [1 + np.minimum(3, np.minimum(np.arange(n), np.arange(n)[::-1])) for n in taps]
    skew = [np.arange(2, n + 2) % 3 - (dtype.kind in "fci") for n in taps]
    for vectors in (symmetric, skew):
        w = outer(vectors).astype(dtype)
        for first, last in (("fill", "edge"), ("wrap", "fill"), ("symm", "wrap")):
            rules = [first, *(["mirror"] * (len(taps) - 2)), last]
            given = {"boundary": rules, "fillvalue": 1, "workers": 2}
            got = signal.convolve(x, w, mode, "separable", **given)
            want = signal.convolve(x, w, mode, "direct", **given)
            scale = np.abs(w.astype(complex)).sum() * 4 if dtype.kind in "fc" else None
            cases.assert_same(got, want, terms=8, scale=scale, rules=rules)
            given["workers"] = 1
            assert got.tobytes() == signal.convolve(x, w, mode, "separable", **given).tobytes()


def test_parts_of_the_output():
    """Bands of rows, as where arrays are streamed: they begin and end anywhere."""
    x = cases.random((60, 50))
    w = outer([np.arange(1.0, 8), np.array([1.0, 2, 5, 2, 1])])
    for mode, boundary in itertools.product(cases.MODES, ("fill", "wrap", "symm")):
        f = _filtering.filtering(x, w, mode, None, boundary, 1, 1, None, convolution=True)
        vectors = factors(w)
        _methods.run(f, "separable", vectors)
        for axis, first, last in itertools.product((0, 1), (0, 3, 40), (41, 44)):
            some = _filtering.only(f, axis, slice(first, last))
            _methods.run(some, "separable", vectors)
            want = f.y[first:last] if axis == 0 else f.y[:, first:last]
            cases.assert_same(some.y, want, terms=8, scale=np.abs(w).sum() * 4, mode=mode)


@pytest.mark.parametrize("rank", [2, 3])
@pytest.mark.parametrize("dtype", FLOATING, ids=str)
def test_intermediates_do_not_overflow(dtype, rank):
    """Samples near the largest number, averaged: as by the direct sum."""
    largest = np.finfo(dtype).max / 4
    taps = (20,) * rank if rank == 2 else (8,) * rank
    w = np.full(taps, 1 / np.prod(taps), dtype)
    x = np.full([2 * k for k in taps], largest, dtype)
    got = signal.convolve(x, w, "valid", "separable")
    np.testing.assert_allclose(got / largest, 1, rtol=1e-4)


def test_infinite_values_stay_local():
    w = outer([np.array([1.0, 2, 3]), np.array([1.0, 1, 4, 1])])
    for value in (np.nan, np.inf):
        x = cases.random((40, 50))
        x[11, 17] = value
        want = reference.signal.convolve(x, w)
        cases.assert_same(signal.convolve(x, w, method="separable"), want)
