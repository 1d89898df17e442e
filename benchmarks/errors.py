"""How far the result of each method is from the exact sum.

    python benchmarks/errors.py

The exact sum is that of pyconvc.reference in long double. Errors are told over the root mean square
of the result and in units of the roundoff u of the dtype, 2**-24 or 2**-53: their root mean square
and the largest.
"""

from __future__ import annotations

import functools

import numpy as np

import pyconvc.signal
from pyconvc import _winograd, nn
from pyconvc._cli.console import show_table
from pyconvc.nn import _passes
from pyconvc.nn._geometry import forward
from pyconvc.reference import nn as exact_nn
from pyconvc.reference import signal as exact_signal

CHANNELS, SIZE, TAPS = 64, 14, 3  # of the layer
KINDS = "normal", "rectified", "scaled"  # samples of a layer
WAYS = " / ".join(["direct", *(f"{tile} x {tile}" for tile in _winograd.TILES)])
TILES_HEAD = ["Channels", *(f"{kind}: {WAYS}" for kind in KINDS)]
PLANE, KERNEL = 96, 15  # sides of the filter's arrays
HEAD = ["work", "method", *(f"{d} {e}" for d in ("float32", "float64") for e in ("rms", "largest"))]


def table() -> list[list[str]]:
    """Rows under HEAD."""
    layer = f"layer {TAPS}x{TAPS}, {CHANNELS} channels"
    plane = f"filter {KERNEL}x{KERNEL}"
    rows = {}
    for dtype in (np.float32, np.float64):
        for method, found in _layer(dtype):
            rows.setdefault((layer, method), []).extend(found)
        for method, found in _plane(dtype):
            rows.setdefault((plane, method), []).extend(found)
    return [[*names, *(f"{value:.3g}" for value in found)] for names, found in rows.items()]


def by_channels() -> list[list]:
    """Rows under TILES_HEAD: root mean squares for the direct method and all tiles, in float32."""
    rng, rows = np.random.default_rng(0), []
    for channels in (16, 64, 128, 256, 512):
        found = [_of_tiles(*_arrays(rng, kind, channels)) for kind in KINDS]
        rows.append([channels, *(" / ".join(f"{e:.2g}" for e in errors) for errors in found)])
    return rows


def _arrays(rng, kind, channels):
    x, w = rng.standard_normal((1, channels, 30, 30)), rng.standard_normal((8, channels, 3, 3))
    if kind == "rectified":
        x = np.maximum(x, 0)
    if kind == "scaled":
        x *= 10 ** rng.uniform(-4, 4, (1, channels, 1, 1))
        w *= 10 ** rng.uniform(-2, 2, (1, channels, 1, 1))
    return x.astype(np.float32), w.astype(np.float32)


def _of_tiles(x, w):
    exact = nn.conv2d(x.astype(float), w.astype(float), method="direct")
    p = forward(x.shape, w.shape, 1, 0, 1, 1, "zeros")
    for tile in (0, *_winograd.TILES):
        y = np.empty(p.y_shape, x.dtype)
        _passes.correlate(p, x, w, None, y, flip=False, workers=1, winograd=tile)
        yield _errors(y, exact)[0]


def _layer(dtype):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1, CHANNELS, SIZE, SIZE)).astype(dtype)
    w = rng.standard_normal((CHANNELS, CHANNELS, TAPS, TAPS)).astype(dtype)
    exact = exact_nn.conv2d(x.astype(np.longdouble), w.astype(np.longdouble), padding=1)
    for method in ("direct", "gemm", "fft"):
        yield method, _errors(nn.conv2d(x, w, padding=1, method=method), exact)
    p = forward(x.shape, w.shape, 1, 1, 1, 1, "zeros")
    for tile in _winograd.TILES:
        y = np.empty(p.y_shape, dtype)
        _passes.correlate(p, x, w, None, y, flip=False, workers=1, winograd=tile)
        yield f"winograd {tile}x{tile}", _errors(y, exact)


def _plane(dtype):
    rng = np.random.default_rng(1)
    x = rng.standard_normal((PLANE, PLANE)).astype(dtype)
    h = np.multiply.outer(*np.round(rng.standard_normal((2, KERNEL)) * 64)).astype(dtype)
    call = functools.partial(pyconvc.signal.convolve, x, h, "same")
    exact = exact_signal.convolve(x.astype(np.longdouble), h.astype(np.longdouble), "same")
    for method in ("direct", "separable", "fft"):
        yield method, _errors(call(method=method), exact)


def _errors(result, exact):
    unit = np.finfo(result.dtype).eps / 2 * np.sqrt(np.mean(exact**2))
    errors = np.abs(result - exact) / unit
    return float(np.sqrt(np.mean(errors**2))), float(errors.max())


if __name__ == "__main__":
    show_table("Errors in units of u, over the rms of the result", HEAD, table())
    show_table("Root mean squares of them, 3x3 kernels in float32", TILES_HEAD, by_channels())
