"""Plans: what the functions give, from weights that are packed once, in several threads at once."""

import pickle
import re
from concurrent.futures import ThreadPoolExecutor

import cases
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nn_cases import layers

import pyconvc
from pyconvc import nn

DTYPES = [*cases.DTYPES, np.dtype(np.float16)]
METHODS = ["auto", "direct", "gemm", "fft"]


def plan_of(layer, w, bias, **options):
    """A plan for a drawn layer."""
    return nn.plan(layer.x_shape, w, bias, **layer.options, **options)


@given(layers(), st.sampled_from(DTYPES), st.sampled_from([*cases.VIEWS]), st.sampled_from(METHODS))
def test_gives_what_the_function_gives(layer, dtype, view, method):
    if dtype.kind in "biu":
        method = "auto"
    x, w, bias = layer.arrays(dtype, view)
    want = cases.of_rank(nn, "conv", layer.rank)(x, w, bias, **layer.options)
    plan = plan_of(layer, w, bias, method=method)
    got = plan(x)
    terms = 50 * layer.terms if method == "fft" else layer.terms
    cases.assert_same(got, want, terms=terms, layer=layer, method=method)
    assert plan.output_shape == want.shape
    assert plan.input_shape == layer.x_shape
    out = np.zeros_like(want)
    assert plan(x, out=out) is out
    np.testing.assert_array_equal(out, got)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64])
@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize(
    ("shape", "filters", "taps", "options"),
    [
        ((1, 40, 7, 7), 8, (3, 3), {"padding": 1}),
        ((2, 64, 9, 6), 16, (1, 1), {}),
        ((1, 9, 14, 14), 12, (3, 2), {"stride": 2}),
        ((1, 30, 33, 33), 4, (3, 3), {"padding": 12, "dilation": 12}),
        ((1, 20, 4, 5, 6), 8, (2, 3, 3), {"padding": 1}),
    ],
    ids=str,
)
def test_same_bits_as_the_function(shape, filters, taps, options, flip, dtype):
    x, w = cases.random(shape, dtype), cases.random((filters, shape[1], *taps), dtype, 1)
    options = {"flip_filters": flip, "method": "direct", **options}
    want = cases.of_rank(nn, "conv", len(taps))(x, w, **options)
    np.testing.assert_array_equal(nn.plan(shape, w, **options)(x), want)


@pytest.mark.parametrize("method", ["direct", "gemm", "fft"])
def test_in_several_threads_at_once(method):
    w, bias = cases.random((12, 4, 5, 5), np.float32, 1), cases.random(12, np.float32, 2)
    plan = nn.plan((2, 8, 30, 31), w, bias, padding=2, groups=2, method=method, workers=2)
    inputs = [cases.random((2, 8, 30, 31), np.float32, seed) for seed in range(16)]
    want = [plan(x) for x in inputs]
    with ThreadPoolExecutor(8) as pool:
        for a, b in zip(pool.map(plan, inputs * 3), want * 3, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("method", ["direct", "gemm", "fft"])
def test_later_changes_of_the_weights_do_not_matter(method):
    x = cases.random((1, 3, 9, 9))
    w, bias = cases.random((4, 3, 3, 3), seed=1), cases.random(4, seed=2)
    plan = nn.plan(x.shape, w, bias, method=method)
    want = plan(x)
    w[...], bias[...] = np.nan, np.nan
    np.testing.assert_array_equal(plan(x), want)


def test_auto_computes_directly_what_transforms_would_blur():
    x, w = cases.random((1, 1, 200, 200)), cases.random((1, 1, 41, 41), seed=1)
    plan = nn.plan(x.shape, w)
    assert plan.method == "fft"
    np.testing.assert_allclose(plan(x), nn.conv2d(x, w, method="direct"), rtol=0, atol=1e-10)
    x[0, 0, 100, 100] = np.nan
    y = plan(x)
    assert np.isnan(y).sum() == 41 * 41
    assert np.isnan(nn.plan(x.shape, w, method="fft")(x)).sum() > 41 * 41


def test_input_of_another_dtype():
    w = np.ones((2, 1, 3), np.float32)
    plan = nn.plan((1, 8), w)
    assert plan(np.ones((1, 8), np.float16)).dtype == np.float32
    assert plan(np.ones((1, 8), np.uint8)).dtype == np.float32
    for dtype in (np.float64, np.int64, np.complex64):
        with pytest.raises(TypeError, match=re.escape(f"input.dtype={np.dtype(dtype)}")):
            plan(np.ones((1, 8), dtype))
    assert nn.plan((1, 8), w, accumulate="double")(np.ones((1, 8), np.float32)).dtype == np.float32


def test_of_dtypes_of_one_size_the_common_one():
    x, w = np.full((1, 1, 8), 200, np.uint8), np.ones((1, 1, 3), np.int8)
    layer = nn.plan(x.shape, w)
    assert layer(x.astype(np.int8)).dtype == np.int8
    with pytest.raises(TypeError, match=re.escape("input.dtype=uint8")):
        layer(x)
    swapped = nn.plan(x.shape, w.astype("f4"))(x.astype(">f4"))
    np.testing.assert_array_equal(swapped, np.full((1, 1, 6), 600, np.float32))


def test_numbers():
    plan = nn.plan((2, 8, 16, 16), np.ones((16, 4, 3, 3), np.float32), groups=2, padding=1)
    assert plan.flops == 2 * 2 * 16 * 16 * 16 * 4 * 9
    assert plan.dtype == np.float32
    assert plan.packed_bytes >= 16 * 4 * 9 * 4
    for method in ("direct", "gemm"):
        one, two = (
            nn.plan((1, 64, 56, 56), np.ones((64, 64, 3, 3), "f4"), method=method, workers=n)
            for n in (1, 2)
        )
        assert 0 <= one.workspace_bytes <= 16 << 20
        assert 0 <= two.workspace_bytes <= 2 * one.workspace_bytes  # tasks may be smaller


def test_workers_are_those_at_the_call():
    plan = nn.plan((1, 4, 9, 9), np.ones((4, 4, 3, 3)), method="gemm")
    before = pyconvc.get_num_threads()
    try:
        pyconvc.set_num_threads(3)
        three = plan.workspace_bytes
        pyconvc.set_num_threads(1)
        assert three == 3 * plan.workspace_bytes
    finally:
        pyconvc.set_num_threads(before)


def test_repr_tells_what_is_not_by_default():
    plan = nn.plan(
        (1, 4, 9, 9),
        np.ones((6, 2, 3, 3), "f4"),
        None,
        2,
        (1, 2),
        groups=2,
        padding_mode="circular",
        flip_filters=True,
        method="direct",
    )
    text = repr(plan)
    for part in (
        "float32 (1, 4, 9, 9) -> (1, 6, 5, 6)",
        "3x3 taps",
        "stride (2, 2)",
        "padding ((1, 1), (2, 2))",
        "groups 2",
        "circular",
        "flipped",
        "direct",
        "MFLOP",
        "workspace",
    ):
        assert part in text
    assert "dilation" not in text
    assert "\n" not in text
    plain = repr(nn.plan((4, 9), np.ones((6, 4, 3), "f4")))
    assert not any(word in plain for word in ("stride", "padding", "groups", "flipped"))


def test_plans_are_not_pickled():
    """They hold packed weights of this machine; send the weights instead."""
    with pytest.raises(TypeError):
        pickle.dumps(nn.plan((1, 4), np.ones((1, 1, 2)), method="direct"))
