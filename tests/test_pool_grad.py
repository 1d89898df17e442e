"""Gradients of pools against the reference, as adjoints, and by finite differences."""

import cases
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pool_cases import RANKS, adaptive_pools, pools

from pyconvc import nn
from pyconvc.nn import grad
from pyconvc.reference import nn as reference

SMOOTH = ["f4", "f8", "c8", "c16", "f2"]

views = st.sampled_from([*cases.VIEWS])


def gradient(y, view, dtype=None):
    """A random gradient of an output."""
    return cases.VIEWS[view](np.random.default_rng(y.size), y.shape, dtype or y.dtype)


@given(pools(dilations=1), st.sampled_from(SMOOTH), views)
def test_average_matches_the_reference(pool, dtype, view):
    x = pool.array(dtype)
    g = gradient(cases.of_rank(reference, "avg_pool", pool.rank)(x, *pool.average()), view)
    got, want = pool.both("avg_pool", x.shape, g, *pool.average(), suffix="_input")
    cases.assert_same(got, want, terms=pool.taps, scale=4, pool=pool, view=view)


@given(adaptive_pools(), st.sampled_from(SMOOTH), views)
def test_adaptive_average_matches_the_reference(pool, dtype, view):
    rank, shape, parts = pool
    y = cases.of_rank(reference, "adaptive_avg_pool", rank)(np.ones(shape), parts)
    g = gradient(y, view, dtype)
    got, want = (
        cases.of_rank(module, "adaptive_avg_pool", rank, "_input")(shape, g)
        for module in (grad, reference.grad)
    )
    cases.assert_same(got, want, terms=y[0].size, scale=4, shape=shape, parts=parts, view=view)


@given(pools(), st.sampled_from([*SMOOTH, "i4", "u1", "?"]), views)
def test_maximum_matches_the_reference(pool, dtype, view):
    x = pool.array("f4", ties=True)
    y, index = cases.of_rank(reference, "max_pool", pool.rank)(
        x, *pool.maximum(), return_indices=True
    )
    g = gradient(y, view, dtype)
    with np.errstate(over="ignore"):
        got, want = pool.both("max_pool", x.shape, g, index, suffix="_input")
    cases.assert_same(got, want, terms=pool.taps, scale=4, pool=pool, view=view)
    picked, wanted = pool.both("max_unpool", x, np.maximum(index, 0), suffix="_input")
    np.testing.assert_array_equal(picked, wanted)


@given(pools(dilations=1), st.sampled_from([1, 2, 3, 2.5, np.inf, -np.inf]), views)
def test_power_average_matches_the_reference(pool, norm, view):
    assume(all(n >= k for n, k in zip(pool.space, pool.kernel, strict=True)))
    x = np.abs(pool.array(float, view)) + 0.5
    x.flat[0] = 0
    arguments = norm, pool.kernel, pool.stride, pool.ceil_mode
    y = cases.of_rank(reference, "lp_pool", pool.rank)(x, *arguments)
    got, want = pool.both("lp_pool", x, gradient(y, view), *arguments, suffix="_input")
    cases.assert_same(got, want, terms=100 * pool.taps, pool=pool, norm=norm)


@given(pools(dilations=1))
def test_average_and_its_gradient_are_adjoint(pool):
    x = pool.array(float)
    y = cases.of_rank(nn, "avg_pool", pool.rank)(x, *pool.average())
    g = gradient(y, "contiguous")
    back = cases.of_rank(grad, "avg_pool", pool.rank, "_input")(x.shape, g, *pool.average())
    size = np.abs(y).ravel() @ np.abs(g).ravel()
    assert abs((y * g).sum() - (x * back).sum()) <= 1e-12 * max(1, size)


@pytest.mark.parametrize("rank", RANKS)
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("avg_pool", (3, 2, 1, True, False)),
        ("lp_pool", (2, 3, 2, True)),
        ("lp_pool", (3, 2)),
        ("lp_pool", (np.inf, 2)),
    ],
)
def test_finite_differences(name, arguments, rank):
    x = cases.random((1, 2, *(6, 5, 4)[:rank])) + 3
    call = cases.of_rank(nn, name, rank)
    g = gradient(call(x, *arguments), "contiguous")
    first = x.shape if name == "avg_pool" else x
    got = cases.of_rank(grad, name, rank, "_input")(first, g, *arguments)
    step, want = 1e-6, np.empty_like(x)
    for at in np.ndindex(x.shape):
        moved = [x.copy(), x.copy()]
        moved[0][at] += step
        moved[1][at] -= step
        up, down = (call(a, *arguments) for a in moved)
        want[at] = ((up - down) * g).sum() / (2 * step)
    np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("kernel", [9, 40, 64])
@pytest.mark.parametrize("stride", [1, 2, 64])
def test_large_windows(kernel, stride):
    shape = (1, 2, 150, 170)
    out = [(n + 2 * (kernel // 2) - kernel) // stride + 1 for n in shape[2:]]
    g = cases.random((1, 2, *out), np.float32)
    window = kernel, stride, kernel // 2
    got = grad.avg_pool2d_input(shape, g, *window, divisor_override=1)
    want = reference.grad.avg_pool2d_input(shape, g.astype(float), *window, divisor_override=1)
    cases.assert_same(got, want.astype(np.float32), terms=kernel, scale=kernel)


@given(pools(dilations=1), st.sampled_from(["contiguous", "negative", "stepped", "channels_last"]))
def test_out_in_any_layout(pool, view):
    x = pool.array(np.float32)
    y, index = cases.of_rank(nn, "max_pool", pool.rank)(x, *pool.maximum(), return_indices=True)
    g = gradient(y, view)
    out = cases.VIEWS[view](np.random.default_rng(1), x.shape, np.float32)
    for name, arguments in (("avg_pool", pool.average()), ("max_pool", (index,))):
        call = cases.of_rank(grad, name, pool.rank, "_input")
        if name == "avg_pool":
            arguments = *arguments[:-2], False, None
        want = call(x.shape, g, *arguments)
        assert call(x.shape, g, *arguments, out=out) is out
        np.testing.assert_array_equal(out, want)


def test_same_bits_for_any_workers():
    shape = (2, 32, 112, 112)
    x = cases.random(shape, np.float32)
    y, index = nn.max_pool2d(x, 3, 2, return_indices=True)
    for call, arguments in (
        (grad.avg_pool2d_input, (3, 2)),
        (grad.max_pool2d_input, (index,)),
        (lambda shape, g, *a, **k: grad.lp_pool2d_input(x, g, *a, **k), (2, 3, 2)),
    ):
        want = call(shape, y, *arguments, workers=1)
        assert call(shape, y, *arguments, workers=3).tobytes() == want.tobytes()


def test_empty_windows_get_no_gradient():
    x = np.ones((1, 3))
    _, index = nn.max_pool1d(x, 2, 1, 1, 4, return_indices=True)
    assert grad.max_pool1d_input(x.shape, [[5.0]], index).tolist() == [[0, 0, 0]]


def test_gradients_of_float16_are_summed_in_single():
    index = np.zeros((1, 3000), int)
    g = np.ones((1, 3000), np.float16)
    assert grad.max_pool1d_input((1, 2), g, index).tolist() == [[3000, 0]]
