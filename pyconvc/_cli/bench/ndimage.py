"""Filters of images with the meaning of scipy.ndimage."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
import scipy.ndimage

import pyconvc.ndimage
from pyconvc._cli.bench.case import PEERS, Call, random, tolerance_of

OPENCV_BORDERS = {"reflect": "REFLECT", "mirror": "REFLECT_101", "nearest": "REPLICATE"}
UNITS = 2 / 50  # in about the largest mean of integers: some round after each axis


@dataclass(frozen=True)
class NdimageCase:
    """``call(x, *args, mode=mode)``, or ``call(x, h, mode=mode)`` with `h` the kernel's shape."""

    name: str
    call: str
    x: tuple[int, ...]
    args: tuple = ()
    h: tuple[int, ...] | None = None
    mode: str = "reflect"
    dtype: str = "float32"
    family: str = "ndimage"

    @property
    def tolerance(self) -> float:
        return tolerance_of(np.dtype(self.dtype)) or UNITS

    @property
    def flops(self) -> int:
        return 2 * math.prod(self.x) * math.prod(self.h) if self.h else 0

    @property
    def bytes(self) -> int:
        return 2 * math.prod(self.x) * np.dtype(self.dtype).itemsize

    def libraries(self) -> list[str]:
        return ["pyconvc", "scipy", *(["opencv"] if self._suits_opencv() else [])]

    def calls(self) -> dict[str, Call]:
        rng, dtype = np.random.default_rng(0), np.dtype(self.dtype)
        x, args = random(rng, self.x, dtype), self.args
        if self.h:
            args = (random(rng, self.h, np.dtype("f4") if dtype.kind in "iu" else dtype),)
        calls = {
            library: functools.partial(getattr(module, self.call), x, *args, mode=self.mode)
            for library, module in (("pyconvc", pyconvc.ndimage), ("scipy", scipy.ndimage))
        }
        return calls | ({"opencv": self._opencv(x, args)} if self._suits_opencv() else {})

    def _suits_opencv(self) -> bool:
        """Whether it has the filter; with taps of its own, integers would saturate, not wrap."""
        known = {"gaussian_filter", "uniform_filter"}
        if np.dtype(self.dtype).kind == "f":
            known |= {"convolve", "correlate"}
        planar = len(self.x) == 2 and self.mode in OPENCV_BORDERS
        return bool(PEERS["opencv"]()) and planar and self.call in known

    def _opencv(self, x: np.ndarray, args: tuple) -> Call:
        cv2 = PEERS["opencv"]()
        border = {"borderType": getattr(cv2, f"BORDER_{OPENCV_BORDERS[self.mode]}")}
        if self.call == "gaussian_filter":
            taps = 2 * int(4 * args[0] + 0.5) + 1  # as far as scipy's
            return lambda: cv2.GaussianBlur(x, (taps, taps), args[0], **border)
        if self.call == "uniform_filter":
            return lambda: cv2.blur(x, (args[0], args[0]), **border)
        taps = np.ascontiguousarray(np.flip(args[0])) if self.call == "convolve" else args[0]
        return lambda: cv2.filter2D(x, -1, taps, **border)


CASES = (
    NdimageCase("gaussian 1 2048^2", "gaussian_filter", (2048, 2048), (1.0,)),
    NdimageCase("gaussian 5 2048^2", "gaussian_filter", (2048, 2048), (5.0,)),
    NdimageCase(
        "gaussian 1 2048^2 uint16", "gaussian_filter", (2048, 2048), (1.0,), dtype="uint16"
    ),
    NdimageCase("gaussian 2 128^3", "gaussian_filter", (128, 128, 128), (2.0,)),
    NdimageCase("uniform 5 2048^2", "uniform_filter", (2048, 2048), (5,)),
    NdimageCase("uniform 31 2048^2", "uniform_filter", (2048, 2048), (31,)),
    NdimageCase("convolve 3^2 2048^2", "convolve", (2048, 2048), h=(3, 3)),
    NdimageCase("convolve 5^2 2048^2 uint8", "convolve", (2048, 2048), h=(5, 5), dtype="uint8"),
    NdimageCase("convolve 3^3 128^3", "convolve", (128, 128, 128), h=(3, 3, 3)),
)
