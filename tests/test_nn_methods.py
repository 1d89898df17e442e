"""The methods of layers: each gives what direct gives, and auto what its promise allows."""

import itertools

import cases
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from isolated import run_python
from nn_cases import layers

from pyconvc import nn
from pyconvc.nn import _geometry, _matrix, _tiling
from pyconvc.reference import nn as reference

FLOATS = [*cases.FLOATS, *cases.COMPLEXES]
VIEWS = [
    "contiguous",
    "fortran",
    "negative",
    "stepped",
    "channels_last",
    "zero_stride",
    "overlapping",
]
WRITABLE = ["contiguous", "fortran", "negative", "stepped", "channels_last", "unaligned"]
METHODS = ["gemm", "fft"]

floats, methods = st.sampled_from(FLOATS), st.sampled_from(METHODS)


@given(layers(), floats, st.sampled_from(VIEWS), methods)
def test_matches_the_reference(layer, dtype, view, method):
    arrays = layer.arrays(dtype, view)
    conv = cases.of_rank(nn, "conv", layer.rank)
    got = conv(*arrays, **layer.options, method=method)
    want = cases.of_rank(reference, "conv", layer.rank)(*arrays, **layer.options)
    terms = layer.terms * (50 if method == "fft" else 1)
    cases.assert_same(got, want, terms=terms, layer=layer, view=view, method=method)


@given(layers(), floats, st.sampled_from(WRITABLE), methods)
def test_out_in_any_layout(layer, dtype, view, method):
    arrays = layer.arrays(dtype)
    conv = cases.of_rank(nn, "conv", layer.rank)
    want = conv(*arrays, **layer.options, method=method)
    out = cases.VIEWS[view](np.random.default_rng(0), want.shape, dtype)
    assert conv(*arrays, **layer.options, method=method, out=out) is out
    np.testing.assert_allclose(out, want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("batch", "filters"), [(0, 3), (2, 0)])
def test_nothing_to_compute(method, batch, filters):
    x, w = np.ones((batch, 2, 5, 5)), np.ones((filters, 2, 3, 3))
    assert nn.conv2d(x, w, method=method).shape == (batch, filters, 3, 3)
    assert nn.plan(x.shape, w, method=method)(x).shape == (batch, filters, 3, 3)


LARGE = [
    # Many tiles, at strides that divide no tile, past kernels that are many tiles long.
    ((2, 4, 9000), (6, 2, 301), {"groups": 2, "stride": 3, "padding": "same"}),
    ((1, 3, 9000), (2, 3, 300), {"stride": 7, "padding": 20, "padding_mode": "circular"}),
    ((1, 3, 4000), (2, 3, 3), {"stride": 150, "dilation": 60}),
    ((2, 4, 90, 71), (6, 2, 21, 17), {"groups": 2, "padding": "full"}),
    ((1, 3, 90, 71), (5, 3, 9, 17), {"stride": (5, 2), "padding": 15, "padding_mode": "reflect"}),
    ((1, 8, 60, 60), (8, 1, 31, 31), {"groups": 8, "padding": 15, "padding_mode": "replicate"}),
    ((1, 2, 20, 21, 22), (3, 2, 7, 8, 9), {"stride": 2, "padding": 3}),
    ((3, 70, 20, 20), (40, 70, 3, 3), {"padding": 1}),
    ((2, 600, 7, 7), (30, 600, 3, 3), {"padding": 1}),
]


@pytest.mark.parametrize("dtype", [np.float32, np.complex128])
@pytest.mark.parametrize(("x", "w", "options"), LARGE, ids=lambda v: "x".join(map(str, v)))
def test_many_tiles(x, w, options, dtype):
    x, w = cases.random(x, dtype), cases.random(w, dtype, 1)
    bias = cases.random(len(w), dtype, 2)
    conv = cases.of_rank(nn, "conv", x.ndim - 2)
    want = conv(x, w, bias, **options, method="direct")
    scale = np.abs(want).max()
    for method in METHODS:
        got = conv(x, w, bias, **options, method=method, workers=1)
        cases.assert_same(got, want, scale=scale, terms=64, method=method)
        for workers in (2, 3):
            again = conv(x, w, bias, **options, method=method, workers=workers)
            np.testing.assert_array_equal(again, got)
        alone = conv(x[-1:], w, bias, **options, method=method)
        np.testing.assert_array_equal(alone, got[-1:])


@pytest.mark.parametrize("size", [100, 3000])
def test_columns_in_little_memory(size, monkeypatch):
    """Channels are taken in parts where the columns of all of them do not fit."""
    monkeypatch.setattr(_tiling, "COLUMNS_BYTES", size)
    x, w = cases.random((2, 12, 9, 8)), cases.random((5, 6, 3, 2), seed=1)[:4]
    got = nn.conv2d(x, w, cases.random(4), 1, 1, 1, 2, method="gemm")
    want = nn.conv2d(x, w, cases.random(4), 1, 1, 1, 2, method="direct")
    cases.assert_same(got, want)


def numbers(x, w, stride=1, padding=0):
    """The numbers of a layer."""
    return _geometry.forward(x, w, stride, padding, 1, 1, "zeros")


@pytest.mark.parametrize(
    ("x", "w"),
    [
        ((1, 3, 224, 224), (64, 3, 3, 3)),
        ((16, 256, 14, 14), (256, 256, 3, 3)),
        ((1, 4096, 7, 7), (512, 4096, 3, 3)),
        ((1, 64, 16, 28, 28), (64, 64, 3, 3, 3)),
        ((1, 1, 4096, 4096), (1, 1, 201, 201)),
        ((1, 1, 1 << 20), (1, 1, 100_001)),
    ],
)
@pytest.mark.parametrize("itemsize", [4, 16])
def test_columns_stay_within_16_mib(x, w, itemsize):
    assert _tiling.tiling(numbers(x, w), itemsize).buffer_bytes <= 16 << 20


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize(
    ("taps", "dilation", "padding"), [(3, 1, 1), (5, 4, 9), (2, 9, 0), (4, 3, 12)]
)
def test_products_with_added_zeros_are_not_counted(taps, dilation, padding, stride):
    samples = 413  # planes of few are computed in whole vectors
    p = _geometry.forward(
        (1, 1, samples, 1), (1, 1, taps, 1), stride, (padding, 0), dilation, 1, "zeros"
    )
    met = [
        0 <= o * stride + t * dilation - padding < samples
        for o in range(p.y_shape[2])
        for t in range(taps)
    ]
    assert p.products == sum(met)
    across = _geometry.forward((1, 1, samples), (1, 1, taps), stride, padding, dilation, 1, "zeros")
    assert sum(met) <= across.products <= p.multiply_adds  # in whole vectors


def test_a_pointwise_layer_needs_no_columns():
    for shape, pointwise in (((64, 32, 1, 1), True), ((64, 32, 1, 2), False)):
        assert _tiling.tiling(numbers((1, 32, 9, 9), shape), 4).pointwise is pointwise
    assert not _tiling.tiling(numbers((1, 32, 9, 9), (64, 32, 1, 1), 2), 4).pointwise
    assert not _tiling.tiling(numbers((1, 32, 9, 9), (64, 32, 1, 1), 1, 1), 4).pointwise


def test_blas_has_one_thread_for_each_tile_and_then_its_own_again(monkeypatch):
    blas = pytest.importorskip("pyconvc._blas")
    if not blas.can_be_single():
        pytest.skip("this BLAS does not take its number of threads")
    multiply, seen = _matrix._gemm.multiply, []

    def watched(*arguments):
        seen.extend(blas.counts())
        multiply(*arguments)

    monkeypatch.setattr(_matrix._gemm, "multiply", watched)
    before = blas.counts()
    with blas.single():
        nn.conv1d(np.ones((1, 5)), np.ones((2, 1, 3)), method="gemm")
        seen.extend(blas.counts())
    nn.conv1d(np.ones((1, 5)), np.ones((2, 1, 3)), method="gemm")
    assert set(seen) == {1}
    assert len(seen) == 3 * len(before)
    assert blas.counts() == before


def test_choice_is_told():
    choice = nn.choose((1, 8, 300, 300), (8, 1, 61, 61), groups=8)
    assert choice.method == "fft"
    assert set(choice.seconds) == {"direct", "gemm", "fft"}
    assert choice.seconds["fft"] == min(choice.seconds.values())
    assert choice.reason.endswith("transforms cost less")
    assert nn.choose((1, 2, 5, 5), (2, 2, 3, 3)).method == "direct"
    assert nn.choose((1, 8, 300, 300), (8, 1, 61, 61), groups=8, dtype=np.int32).method == "direct"
    assert nn.choose((8, 100, 100), (8, 8, 3, 3), 1, 1, dtype=np.float16).method == "direct"


@pytest.mark.parametrize("x", [(4, 5), (1, 2, 3, 4, 5)])
def test_choice_of_bad_shapes(x):
    with pytest.raises(ValueError, match="input_shape"):
        nn.choose(x, (2, 2, 3, 3))
    with pytest.raises(ValueError, match="weight_shape"):
        nn.choose((1, 2, 3, 4), (2, 3))


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30])
def test_auto_keeps_the_quiet_apart_from_the_loud(value):
    """Each channel is looked at: one is loud far from where the outputs are compared."""
    x, w = cases.random((1, 2, 150, 150)), cases.random((3, 2, 41, 41), seed=1)
    assert nn.choose(x.shape, w.shape, dtype=x.dtype).method == "fft"
    x[0, 1, 0, 0] = value
    near = nn.conv2d(x, w)[..., 50:, 50:]
    direct = nn.conv2d(x, w, method="direct")[..., 50:, 50:]
    np.testing.assert_array_equal(near, direct)
    with np.errstate(invalid="ignore"):
        blurred = nn.conv2d(x, w, method="fft")[..., 50:, 50:]
    assert not np.allclose(blurred, direct, rtol=1e-6)


@pytest.mark.parametrize(
    ("sample", "weight"),
    [
        ((3, 9, 9), (3, 3, 3, 3)),
        ((16, 5, 5), (16, 16, 3, 3)),
        ((64, 14, 14), (64, 64, 3, 3)),
        ((256, 7, 7), (64, 256, 1, 1)),
        ((2, 160, 160), (2, 2, 51, 51)),
    ],
)
def test_one_sample_of_the_batch_decides(sample, weight):
    alone = nn.choose((1, *sample), weight)
    for batch in (2, 7, 300):
        assert nn.choose((batch, *sample), weight) == alone
    x, w = cases.random((3, *sample), np.float32), cases.random(weight, np.float32, 1)
    planned, one = nn.plan(x.shape, w), nn.plan(x[:1].shape, w)
    want = np.concatenate([one(x[n : n + 1]) for n in range(3)])
    np.testing.assert_array_equal(planned(x), want)
    want = np.concatenate([nn.conv2d(x[n : n + 1], w) for n in range(3)])
    np.testing.assert_array_equal(nn.conv2d(x, w), want)


@pytest.mark.parametrize("spoilt", [(0,), (1,), (3,), (0, 1), (1, 3), (0, 1, 2, 3)])
@pytest.mark.parametrize("planned", [False, True])
def test_samples_beside_one_that_transforms_would_spoil(spoilt, planned):
    x, w = cases.random((4, 2, 160, 160), float), cases.random((2, 2, 51, 51), float, 1)
    assert nn.choose(x.shape, w.shape, dtype=x.dtype).method == "fft"
    x[list(spoilt), 0, 40, 40] = np.inf
    got = nn.plan(x.shape, w)(x) if planned else nn.conv2d(x, w)
    np.testing.assert_array_equal(got, np.stack([nn.conv2d(sample, w) for sample in x]))


def test_only_what_a_method_needs_is_imported(tmp_path):
    code = """
        import sys
        import numpy as np
        from pyconvc import nn
        x, w = np.ones((1, 16, 40, 40), "f4"), np.ones((16, 16, 3, 3), "f4")
        nn.choose(x.shape, w.shape)
        y = nn.conv2d(x, w, method="direct")
        nn.grad.conv2d_weight(x, w.shape, y)
        print([name for name in sys.modules if name.split(".")[0] == "scipy"])
    """
    assert run_python(code, tmp_path).strip() == "[]"


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_ctrl_c_ends_all_threads(workers, monkeypatch):
    """What has not begun is not computed."""
    multiply, calls = _matrix._gemm.multiply, itertools.count()

    def interrupted(*arguments):
        if next(calls) == 20:
            raise KeyboardInterrupt
        multiply(*arguments)

    monkeypatch.setattr(_matrix._gemm, "multiply", interrupted)
    x, w = np.ones((2000, 2, 4, 4)), np.ones((2, 2, 3, 3))
    with pytest.raises(KeyboardInterrupt):
        nn.conv2d(x, w, method="gemm", workers=workers)
    assert next(calls) < 1000
