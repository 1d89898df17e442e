"""Winograd's method: the reference's values, close to them where it promises, local as it does."""

import math
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import cases
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from isolated import run_python
from nn_cases import layers
from test_memory import PER_WORKER, peak

import pyconvc
from pyconvc import _choose, _core, _winograd, nn
from pyconvc.nn import _methods
from pyconvc.reference import nn as reference

HERE = str(Path(__file__).parent)
FLOATS = st.sampled_from(cases.FLOATS)
# Most that the transforms magnify a rounding error, by outputs of a tile and taps of a part along
# an axis, as in docs/methods.rst; along two axes the product.
MAGNIFIED = {(2, 3): 4, (3, 3): 9, (4, 2): 8, (4, 3): 13, (4, 4): 27, (4, 5): 43}
AMONG = ["contiguous", "fortran", "negative", "stepped", "channels_last", "zero_stride"]


def clear():
    """Methods are chosen anew."""
    for kept in (_methods.call, _methods.forward, _methods.input_grad):
        kept.cache_clear()


@contextmanager
def tiles_of(tile):
    """Layers take this tile, whatever is faster."""
    clear()
    with patch.object(_winograd, "TILES", (tile,)):
        yield
    clear()


@st.composite
def suited(draw, tile, most_channels=5):
    """Strategy of Layer: those that the method computes with a tile, else drawn freely."""
    layer = draw(layers(most_channels=most_channels))
    some = st.sampled_from([n for n in (1, 2, 3, 3, 4, 5, 6, 7) if tile == 4 or n != 2])
    taps = (draw(st.integers(1, 3)), draw(some), draw(some))[-layer.rank :]
    assume(max(taps[-2:]) > 1)
    space = tuple(
        n + taps[a] + draw(st.sampled_from([0, 0, 33])) for a, n in enumerate(layer.space)
    )
    options = layer.options | {"stride": 1, "dilation": 1}
    if tile != 3 and draw(st.booleans()):
        options["stride"] = tuple(draw(st.integers(1, 2)) if n == 3 else 1 for n in taps)
    elif options["padding_mode"] == "zeros":
        dilation = (1, *(draw(st.integers(1, 3)) for _ in range(2)))[-layer.rank :]
        space = tuple(n + t * (d - 1) for n, t, d in zip(space, taps, dilation, strict=True))
        options["dilation"] = dilation
    return replace(layer, taps=taps, space=space, options=options)


TILED = st.sampled_from([2, 3, 4]).flatmap(lambda tile: st.tuples(st.just(tile), suited(tile)))


def conv_of(module, layer):
    """The function of a layer."""
    return cases.of_rank(module, "conv", layer.rank)


@given(TILED, FLOATS, st.sampled_from(AMONG))
def test_matches_the_reference(tiled, dtype, view):
    tile, layer = tiled
    arrays = layer.arrays(dtype, view)
    with tiles_of(tile):
        got = conv_of(nn, layer)(*arrays, **layer.options, method="winograd")
    want = conv_of(reference, layer)(*arrays, **layer.options)
    cases.assert_same(got, want, terms=layer.terms * 20, layer=layer, view=view, tile=tile)


@given(suited(4), FLOATS, st.sampled_from(["contiguous", "fortran", "negative", "stepped"]))
def test_out_in_any_layout(layer, dtype, view):
    arrays = layer.arrays(dtype)
    want = conv_of(nn, layer)(*arrays, **layer.options, method="winograd")
    out = cases.VIEWS[view](np.random.default_rng(0), want.shape, dtype)
    got = conv_of(nn, layer)(*arrays, **layer.options, method="winograd", out=out)
    assert got is out
    np.testing.assert_array_equal(out, want)


# Images of many blocks of tiles, of part of one, of part of a vector, and of one tile; channels
# beyond a register sum and beyond a block of outputs.
LARGE = [
    ((5, 6, 61, 47), (70, 3, 3, 3), {"groups": 2, "padding": 1}),
    ((3, 300, 9, 7), (34, 300, 3, 3), {"padding": "full", "padding_mode": "circular"}),
    ((3, 140, 7, 7), (21, 140, 3, 3), {"padding": 1, "flip_filters": True}),
    ((7, 4, 4, 4), (5, 4, 3, 3), {"padding": 1, "padding_mode": "reflect"}),
    ((2, 130, 1, 700), (9, 130, 1, 3), {"padding": (0, 1)}),
    ((2, 60, 5, 9, 13), (34, 30, 3, 3, 3), {"groups": 2, "padding": 1}),
    ((2, 9, 4, 6, 33), (5, 9, 2, 1, 3), {"padding": 2, "padding_mode": "replicate"}),
    ((3, 20, 19, 23), (34, 20, 3, 3), {"padding": 3, "dilation": (3, 4)}),
    ((3, 50, 21, 18), (18, 25, 5, 4), {"groups": 2, "padding": 2, "padding_mode": "circular"}),
    ((2, 40, 130, 9), (18, 40, 7, 1), {"padding": (3, 0)}),
    ((2, 70, 500), (9, 70, 16), {"padding": "full", "dilation": 3}),
    ((2, 40, 33, 33), (34, 40, 3, 3), {"padding": 12, "dilation": 12}),
    ((2, 12, 9, 310), (10, 6, 3, 3), {"padding": (1, 70), "dilation": (2, 100), "groups": 2}),
    ((2, 9, 5, 12, 20), (34, 9, 2, 7, 3), {"padding": 1}),
    ((2, 40, 57, 61), (34, 40, 3, 3), {"padding": 1, "stride": 2}),
    ((2, 6, 300), (10, 3, 16), {"padding": 4, "stride": 8, "groups": 2}),
    ((2, 9, 31, 40), (18, 9, 4, 3), {"padding": 1, "stride": (2, 1), "padding_mode": "circular"}),
]


@pytest.mark.parametrize("tile", [2, 3, 4])
@pytest.mark.parametrize("dtype", cases.FLOATS)
@pytest.mark.parametrize(("x", "w", "options"), LARGE, ids=lambda v: "x".join(map(str, v)))
def test_same_bits_for_any_workers_and_batch(x, w, options, dtype, tile):
    conv = cases.of_rank(nn, "conv", len(x) - 2)
    x, w = cases.random(x, dtype), cases.random(w, dtype, 1)
    bias = cases.random(len(w), dtype, 2)
    options = options | {"method": "winograd"}
    strides = np.broadcast_to(options.get("stride", 1), w.ndim - 2)
    if not all(
        _core.winograd_axis(n, tile, max(w.shape[2:]) == w[0, 0].size, s)
        for n, s in zip(w.shape[2:], strides, strict=True)
    ):
        pytest.skip("there are no such tiles")
    with tiles_of(tile):
        got = conv(x, w, bias, **options, workers=1)
        for workers in (2, 3, 5):
            again = conv(x, w, bias, **options, workers=workers)
            np.testing.assert_array_equal(again, got)
        for first in range(len(x)):
            for part in (slice(first, None), slice(first, first + 1)):
                again = conv(x[part], w, bias, **options, workers=2)
                np.testing.assert_array_equal(again, got[part])
        planned = nn.plan(x.shape, w, bias, **options)
        np.testing.assert_array_equal(planned(x), got)
    want = conv(x, w, bias, **options | {"method": "direct"})
    cases.assert_same(got, want, scale=np.abs(want).max(), terms=200)


@pytest.mark.parametrize("tile", [2, 3, 4])
@pytest.mark.parametrize("dilation", [8, 9, 32, 100])
@pytest.mark.parametrize("padding", [0, 5, 40, "full"])
@pytest.mark.parametrize("size", [384, 401])
def test_far_taps_of_a_line(size, padding, dilation, tile):
    """Samples side by side are tiles side by side, wherever lines of them end."""
    x, w = cases.random((2, 6, size), np.float64), cases.random((4, 3, 3), np.float64, 1)
    options = {"padding": padding, "dilation": dilation, "groups": 2}
    bias = cases.random(4, np.float64, 2)
    with tiles_of(tile):
        got = nn.conv1d(x, w, bias, **options, method="winograd")
        again = nn.conv1d(x, w, bias, **options, method="winograd", workers=3)
    np.testing.assert_array_equal(again, got)
    want = reference.conv1d(x, w, bias, **options)
    cases.assert_same(got, want, scale=np.abs(want).max(), terms=200)


@pytest.mark.parametrize("tile", [2, 3, 4])
@pytest.mark.parametrize("value", [np.nan, np.inf, 3e38])
@pytest.mark.parametrize("where", ["input", "weight", "bias"])
def test_what_is_not_finite_stays_local(where, value, tile):
    """The same outputs are NaN or infinite as by the direct method; the others are as without."""
    shape = (2, 6, 23, 31)
    arrays = {"input": cases.random(shape, np.float32)}
    arrays |= {"weight": cases.random((10, 3, 3, 3), np.float32, 1)}
    arrays |= {"bias": cases.random((10,), np.float32, 2)}
    run = {"padding": 1, "groups": 2}
    with tiles_of(tile), np.errstate(all="ignore"):
        clean = nn.conv2d(*arrays.values(), **run, method="winograd")
        flat = arrays[where].ravel()
        flat[np.random.default_rng(3).integers(flat.size, size=3)] = value
        got = nn.conv2d(*arrays.values(), **run, method="winograd")
        again = nn.conv2d(*arrays.values(), **run, method="winograd", workers=3)
        want = nn.conv2d(*arrays.values(), **run, method="direct")
    np.testing.assert_array_equal(again, got)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
    np.testing.assert_array_equal(np.isposinf(got), np.isposinf(want))
    if not np.isfinite(value):
        alike = np.isfinite(want)
        np.testing.assert_allclose(got[alike], want[alike], atol=1e-4)
    if where == "input":
        far = np.ones(got.shape, bool)
        for n, _, row, column in np.argwhere(arrays["input"] != cases.random(shape, np.float32)):
            near = slice(max(0, row - 6), row + 7), slice(max(0, column - 6), column + 7)
            far[(n, slice(None), *near)] = False
        assert far.any()
        np.testing.assert_array_equal(got[far], clean[far])


def as_direct(conv, x, w, run):
    """The result, which is NaN and infinite where the direct one is, and equal to it elsewhere."""
    with np.errstate(all="ignore"):
        got = conv(x, w, **run, method="winograd")
        want = conv(x, w, **run, method="direct")
    np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
    np.testing.assert_array_equal(np.isinf(got), np.isinf(want))
    alike = np.isfinite(want) & (np.abs(want) < 1e30)
    np.testing.assert_allclose(got[alike], want[alike], atol=1e-4)
    return got


@pytest.mark.parametrize("value", [np.nan, np.inf, 3e38])
@pytest.mark.parametrize("across", [3, 9])
def test_what_is_not_finite_stays_on_its_grid(value, across):
    x, w = cases.random((2, 6, 25, 34), np.float32), cases.random((8, 3, 3, 3), np.float32, 1)
    run = {"padding": (4, 1), "dilation": (4, across), "groups": 2}
    clean = nn.conv2d(x, w, **run, method="winograd")
    x[(1, 4, 9, 6)] = value
    got = as_direct(nn.conv2d, x, w, run)
    others = np.ones(got.shape, bool)
    others[:, :, 1::4, 7 % across :: across] = False  # 9 + 4 and 6 + 1, modulo the dilation
    np.testing.assert_array_equal(got[others], clean[others])


@pytest.mark.parametrize("tile", [2, 4])
@pytest.mark.parametrize("value", [np.nan, np.inf, 3e38])
def test_what_is_not_finite_stays_local_with_a_stride(value, tile):
    x, w = cases.random((2, 6, 25, 34), np.float32), cases.random((8, 3, 3, 3), np.float32, 1)
    run = {"padding": 1, "stride": 2, "groups": 2}
    with tiles_of(tile):
        clean = nn.conv2d(x, w, **run, method="winograd")
        x[(1, 4, 9, 6)] = value
        got = as_direct(nn.conv2d, x, w, run)
    far = np.ones(got.shape, bool)
    far[1, 4:, 0:9, 0:8] = False
    np.testing.assert_array_equal(got[far], clean[far])


@pytest.mark.parametrize("value", [np.nan, np.inf, 3e38])
def test_what_is_not_finite_stays_in_its_column(value):
    x, w = cases.random((2, 6, 300), np.float32), cases.random((8, 3, 5), np.float32, 1)
    run = {"padding": 30, "dilation": 20, "groups": 2}
    clean = nn.conv1d(x, w, **run, method="winograd")
    x[1, 4, 107] = value
    got = as_direct(nn.conv1d, x, w, run)
    others = np.ones(got.shape, bool)
    others[:, :, 17::20] = False  # 107 + 30, modulo the dilation
    np.testing.assert_array_equal(got[others], clean[others])


@pytest.mark.parametrize("value", [np.nan, np.inf, 3e38])
def test_what_is_not_finite_stays_local_in_volumes(value):
    shape = (2, 6, 7, 11, 13)
    x, w = cases.random(shape, np.float32), cases.random((8, 3, 3, 3, 3), np.float32, 1)
    run = {"padding": (2, 1, 0), "groups": 2, "padding_mode": "circular"}
    clean = nn.conv3d(x, w, **run, method="winograd")
    x[(1, 4, 0, 6, 5)] = value
    got = as_direct(nn.conv3d, x, w, run)
    # Depths that meet the sample: 0 to 2 with the pad before, and 7 and 8, which read it again.
    for depth in (3, 4, 5, 6):
        np.testing.assert_array_equal(got[:, :, depth], clean[:, :, depth])
    np.testing.assert_array_equal(got[0], clean[0])


# Taps of a kernel, outputs of a tile, and taps of its parts along each axis that has any.
FORMS = [((3, 3), tile, (3, 3)) for tile in (2, 3, 4)] + [((2, 2), 4, (2, 2)), ((5, 5), 4, (3, 3))]
FORMS += [((4, 3), 4, (2, 3)), ((1, 3), 4, (3,)), ((4, 1), 4, (4,)), ((1, 5), 4, (5,))]
FORMS += [((1, 7), 4, (4,)), ((9, 1), 4, (5,))]


@pytest.mark.parametrize(("taps", "tile", "parts"), FORMS)
@pytest.mark.parametrize("channels", [3, 64, 300])
@pytest.mark.parametrize("scaled", [False, True])
def test_error_bound(channels, scaled, taps, tile, parts):
    """In the largest sample of a tile, for each channel: the bound that docs/methods.rst gives."""
    rng = np.random.default_rng(channels)
    x, w = rng.standard_normal((1, channels, 30, 30)), rng.standard_normal((8, channels, *taps))
    if scaled:
        x *= 10 ** rng.uniform(-6, 6, x.shape)
        w *= 10 ** rng.uniform(-6, 6, w.shape)
    x, w = x.astype(np.float32), w.astype(np.float32)
    with tiles_of(tile):
        got = nn.conv2d(x, w, method="winograd")
    want = nn.conv2d(x.astype(float), w.astype(float), method="direct")
    largest = np.abs(x[0])
    for axis, n in enumerate(taps, 1):
        ends = [(0, 0)] * 3
        ends[axis] = ((tile - 1) * (n > 1),) * 2
        size = 2 * tile + n - 2 if n > 1 else 1
        windows = np.lib.stride_tricks.sliding_window_view(np.pad(largest, ends), size, axis)
        largest = windows.max(-1)
    bound = np.einsum("chw,kc->khw", largest, np.abs(w).sum((2, 3)))
    terms = channels * math.prod(
        -(-n // r) for n, r in zip([n for n in taps if n > 1], parts, strict=True)
    )
    magnified = math.prod(MAGNIFIED[tile, r] for r in parts)
    allowed = (min(terms, 128) + terms / 128 + 20) * magnified * 2.0**-24 * bound
    assert (np.abs(got - want)[0] <= allowed).all()


@pytest.mark.parametrize(
    ("tile", "taps"), [(2, (3, 3)), (3, (3, 3)), (4, (3, 3)), (4, (5, 2)), (4, (1, 7)), (4, (5, 1))]
)
@pytest.mark.parametrize("dtype", cases.FLOATS)
def test_the_quiet_is_not_lost_beside_the_loud(dtype, tile, taps):
    """The bound of docs/methods.rst in the largest sample under the kernel, of any channel."""
    x, w = cases.random((1, 8, 60, 60)), cases.random((6, 8, *taps), seed=1)
    x[0, :, 30, 30] = x[0, 3, 10, 10] = 1e12
    x[0, :, 40:, 40:] *= 1e-6
    x[0, :, 50:, :30] = 0
    x, w = x.astype(dtype), w.astype(dtype)
    with tiles_of(tile):
        got = nn.conv2d(x, w, method="winograd")
        again = nn.conv2d(x, w, method="winograd", workers=3)
    np.testing.assert_array_equal(again, got)
    want = reference.conv2d(x.astype(np.longdouble), w.astype(np.longdouble))
    met = np.lib.stride_tricks.sliding_window_view(np.abs(x).max(1), taps, (1, 2)).max((3, 4))
    allowed = 8 * np.sqrt(np.finfo(dtype).eps / 2) * met * np.abs(w).sum((1, 2, 3)).max()
    assert (np.abs(got - want) <= allowed[:, None])[:, :, met[0] > 0].all()
    loud = np.abs(want) > 1e10
    assert loud.any()
    np.testing.assert_allclose(got[loud], want[loud].astype(dtype), rtol=1e-3)


@pytest.mark.parametrize(
    ("taps", "most"),
    [((3, 3), 3), ((5, 5), 2), ((2, 2), 2.5), ((1, 3), 2), ((1, 7), 2), ((5, 1), 3.5)],
)
def test_rounding_errors_are_as_small_as_measured(taps, most):
    """Root mean squares beside those of the direct method, which docs/methods.rst has."""
    x, w = cases.random((1, 64, 30, 30), np.float32), cases.random((32, 64, *taps), np.float32, 1)
    want = nn.conv2d(x.astype(float), w.astype(float), method="direct")
    errors = {}
    for tile in (2, 3, 4) if min(taps) > 2 else (4,):
        with tiles_of(tile):
            errors[tile] = np.std(nn.conv2d(x, w, method="winograd") - want)
    direct = np.std(nn.conv2d(x, w, method="direct") - want)
    assert errors.get(2, 0) < direct
    assert max(errors.values()) < most * direct


@pytest.mark.parametrize("tier", pyconvc.isa_available())
def test_each_tier(tier, tmp_path):
    code = f"import sys; sys.path.insert(0, {HERE!r}); import winograd_sweep; winograd_sweep.main()"
    computed_by, calls = run_python(code, tmp_path, PYCONVC_ISA=tier).split()
    assert computed_by == tier
    assert int(calls) > 100


@pytest.mark.parametrize("shape", [(0, 4, 9, 9), (2, 4, 9, 9)])
@pytest.mark.parametrize("filters", [0, 3])
def test_nothing_to_compute(shape, filters):
    x, w = np.ones(shape), np.ones((filters, 4, 3, 3))
    got = nn.conv2d(x, w, method="winograd")
    assert got.shape == (shape[0], filters, 7, 7)
    np.testing.assert_allclose(got, 36.0, rtol=1e-13)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"stride": 3}, "stride"),
        ({"stride": (1, 2), "dilation": (1, 2)}, "stride"),
        ({"dilation": (1, 9)}, "dilation"),
        ({"dilation": (1, 2), "padding": 1, "padding_mode": "reflect"}, "padding_mode"),
        ({"taps": (1, 17)}, "weight.shape"),
        ({"taps": (8, 9)}, "weight.shape"),
        ({"taps": (1, 1)}, "weight.shape"),
        ({"dtype": np.complex64}, "complex64"),
        ({"dtype": np.int32}, "int32"),
    ],
)
def test_what_does_not_suit_is_named(arguments, named):
    taps, dtype = arguments.pop("taps", (3, 3)), arguments.pop("dtype", np.float32)
    x, w = np.ones((1, 2, 12, 20), dtype), np.ones((2, 2, *taps), dtype)
    with pytest.raises(ValueError, match=rf"method='winograd'.*{named}"):
        nn.conv2d(x, w, method="winograd", **arguments)
    with pytest.raises(ValueError, match=rf"method='winograd'.*{named}"):
        nn.plan(x.shape, w, method="winograd", **arguments)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_stored_in_one_dtype_and_computed_in_another(dtype):
    x, w = cases.random((2, 16, 30, 31), dtype), cases.random((24, 16, 3, 3), dtype, 1)
    accumulate = "double" if dtype == np.float32 else None
    got = nn.conv2d(x, w, padding=1, method="winograd", accumulate=accumulate)
    want = nn.conv2d(x, w, padding=1, method="direct", accumulate=accumulate)
    assert got.dtype == dtype
    np.testing.assert_allclose(
        got, want, rtol=2 * np.finfo(dtype).eps, atol=0.05 if accumulate is None else 0
    )


def test_auto_takes_it_whatever_the_batch():
    x, w = (64, 64, 40, 40), (64, 64, 3, 3)
    for batch in (1, 2, 16):
        choice = nn.choose((batch, *x[1:]), w, padding=1)
        assert choice.method == "winograd"
        assert min(choice.seconds, key=choice.seconds.get) == "winograd"
    for options in ({"stride": 3}, {"dtype": np.complex64}, {"dtype": np.int16}):
        assert nn.choose(x, w, **options).method != "winograd"
    assert nn.choose((1, 1, 40, 40), (1, 1, 3, 3)).method == "direct"


ADJOINT = [
    ((40, 37), 64, 1, "zeros"),
    ((40, 37), 64, 1, "replicate"),
    ((14, 14), 256, 1, "zeros"),
    ((38, 43), 64, 2, "zeros"),
    ((5, 20, 21), 64, 1, "replicate"),
]


@pytest.mark.parametrize("dtype", cases.FLOATS)
@pytest.mark.parametrize(("size", "channels", "dilation", "mode"), ADJOINT)
def test_gradient_of_the_input(size, channels, dilation, mode, dtype):
    """Taken unasked where it is faster, for few pixels too; a transposed layer is one."""
    rank = len(size)
    conv, transposed = (cases.of_rank(nn, name, rank) for name in ("conv", "conv_transpose"))
    grad = cases.of_rank(nn.grad, "conv", rank, "_input")
    x = cases.random((2, channels, *size), dtype)
    w = cases.random((channels - 16, channels, *(3,) * rank), dtype, 1)
    options = {"padding": (1, 0, 1)[:rank], "padding_mode": mode, "dilation": dilation}
    g = cases.random(conv(x, w, **options).shape, dtype, 2)
    with patch.object(_winograd, "obstacle", return_value="is not asked"):
        _methods.input_grad.cache_clear()
        direct = grad(x.shape, w, g, **options)
    _methods.input_grad.cache_clear()
    got = grad(x.shape, w, g, **options)
    assert not np.array_equal(got, direct)
    cases.assert_same(got, direct, terms=20, scale=np.abs(direct).max())
    np.testing.assert_array_equal(transposed(g, w, **options), got)


NUMBERS = {"stride": 1, "padding": 0, "output_padding": 0, "groups": 1, "dilation": 1}
NUMBERS |= {"output_size": None, "padding_mode": "zeros"}
# Size, channels in and out, taps, and options of transposed layers with a stride.
STRIDED = [
    ((23,), (9, 7), (16,), {"stride": 8, "padding": 4}),
    ((70,), (6, 18), (10,), {"stride": 5, "padding": 2, "output_padding": 3, "groups": 2}),
    ((41,), (5, 3), (3,), {"stride": 2, "flip_filters": True}),
    ((19,), (3, 4), (23,), {"stride": 3, "padding": 9}),
    ((13, 18), (12, 9), (3, 3), {"stride": 2, "padding": 1, "output_padding": 1, "groups": 3}),
    ((13, 18), (8, 10), (4, 4), {"stride": 2, "padding": (1, 0)}),
    ((9, 7), (20, 17), (5, 5), {"stride": (2, 3), "padding": 2, "flip_filters": True}),
    ((6, 31), (4, 3), (7, 2), {"stride": (2, 1), "padding": (5, 1)}),
    ((11, 9), (130, 5), (6, 4), {"stride": (3, 2), "padding_mode": "reflect", "padding": 2}),
    ((1, 2), (3, 3), (4, 4), {"stride": 2, "padding": 1}),
    ((5, 9, 10), (4, 5), (3, 4, 3), {"stride": 2, "padding": 1, "output_padding": (1, 0, 1)}),
]


def strided(size, channels, taps, dtype=np.float32):
    """Arrays of such a layer, with the bias."""
    return (
        cases.random((2, channels[0], *size), dtype),
        cases.random((channels[0], channels[1], *taps), dtype, 1),
    )


@contextmanager
def adjoint_tiles_of(tile):
    """Gradients of inputs take this tile, or none, whatever is faster."""
    clear()
    with patch.object(_choose, "adjoint_tile", return_value=tile):
        yield
    clear()


@pytest.mark.parametrize("dtype", cases.FLOATS)
@pytest.mark.parametrize(("size", "channels", "taps", "options"), STRIDED)
def test_strided_gradient_of_the_input(size, channels, taps, options, dtype):
    """The phases of a transposed layer at once, as the reference has it and the direct method."""
    ours, plain = (cases.of_rank(m, "conv_transpose", len(size)) for m in (nn, reference))
    x, w = strided(size, channels, taps, dtype)
    bias = cases.random((channels[1] * options.get("groups", 1),), dtype, 2)
    with adjoint_tiles_of(4):
        got = ours(x, w, bias, **options)
        alone = ours(x[1:], w, bias, **options, workers=3)
    with adjoint_tiles_of(0):
        direct = ours(x, w, bias, **options)
    np.testing.assert_array_equal(got[1:], alone)
    assert not np.array_equal(got, direct)
    cases.assert_same(got, plain(x, w, bias, **options), terms=20 * w[:, 0].size)


@pytest.mark.parametrize("value", [np.nan, np.inf, 3e38])
@pytest.mark.parametrize(("size", "channels", "taps", "options"), STRIDED[:-2])
def test_what_is_not_finite_stays_local_in_strided_gradients(size, channels, taps, options, value):
    ours = cases.of_rank(nn, "conv_transpose", len(size))
    x, w = strided(size, channels, taps)
    x[(1, 1, *(n // 2 for n in size))] = value
    with np.errstate(all="ignore"):
        with adjoint_tiles_of(4):
            got = ours(x, w, **options)
        with adjoint_tiles_of(0):
            want = ours(x, w, **options)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
    np.testing.assert_array_equal(np.isinf(got), np.isinf(want))
    alike = np.isfinite(want) & (np.abs(want) < 1e30)
    np.testing.assert_allclose(got[alike], want[alike], atol=1e-4)


@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize("taps", [3, 4, 5])
@pytest.mark.parametrize("dtype", cases.FLOATS)
def test_the_quiet_is_not_lost_beside_the_loud_with_a_stride(dtype, taps, padding):
    """Each phase meets samples of its own, of which those near the loud ones may be quiet."""
    x, w = cases.random((1, 3, 40, 40)), cases.random((3, 4, taps, taps), seed=1)
    x[:, :, 10::7, 10::5] *= 1e12
    x, w = x.astype(dtype), w.astype(dtype)
    with adjoint_tiles_of(4):
        got = nn.conv_transpose2d(x, w, stride=2, padding=padding)
    exact = reference.conv_transpose2d(
        x.astype(np.longdouble), w.astype(np.longdouble), stride=2, padding=padding
    )
    sizes = reference.conv_transpose2d(
        np.broadcast_to(np.abs(x).max(1, keepdims=True), x.shape).astype(float),
        np.full(w.shape, np.abs(w).max(), float),
        stride=2,
        padding=padding,
    )
    assert (np.abs(got - exact) <= 8 * np.sqrt(np.finfo(dtype).eps / 2) * sizes).all()


def test_auto_takes_it_with_a_stride_where_it_pays():
    def tile(x_shape, w_shape, dtype=np.float32, **options):
        p = nn._geometry.transposed(x_shape, w_shape, **NUMBERS | options)
        return _choose.adjoint_tile(p, np.dtype(dtype))

    assert tile((1, 256, 400), (256, 128, 16), stride=8) == 4
    assert tile((1, 128, 32, 32), (128, 64, 4, 4), stride=2) == 4
    assert tile((1, 128, 32, 32), (128, 64, 2, 2), stride=2) == 0
    assert tile((1, 128, 32, 32), (128, 64, 4, 4), stride=2, dilation=2) == 0
    assert tile((1, 128, 32, 32), (128, 64, 4, 4), stride=2, dtype=np.int32) == 0
    assert tile((1, 1, 8), (1, 1, 16), stride=8) == 0


MEMORY = {
    "wide": ("1, 64, n, n", "64, 64, 3, 3", 8, 256),
    "deep": ("1, 1500, n, n", "8, 1500, 3, 3", 8, 40),
    "volume": ("1, 64, 6, n, n", "64, 64, 3, 3, 3", 8, 90),
    "long": ("1, 64, 1, n", "64, 64, 1, 3", 80, 100_000),
}


@pytest.mark.skipif(sys.platform != "linux", reason="reads as Linux does")
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("layer", MEMORY)
def test_memory(layer, workers, tmp_path):
    """Beside transformed weights, so that these are a plan's."""
    x, w, small, large = MEMORY[layer]
    filters = w.split(",")[0]
    arrays = f"""x, w, y = ones({x}), ones({w}), ones({x.replace(x.split(",")[1], filters, 1)})
    pad = [taps // 2 for taps in w.shape[2:]]
    pyconvc.plan = pyconvc.nn.plan(x.shape, w, padding=pad, workers={workers}, method="winograd")"""
    assert peak(tmp_path, arrays, "plan(x, out=y)", small, large) < workers * PER_WORKER
