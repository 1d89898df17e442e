"""The signal family: filters of one, two and three dimensions with scipy.signal's meaning."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
import scipy.signal

import pyconvc.signal
from pyconvc._cli.bench.case import PEERS, Call, random, tolerance_of

# Multiplications that peers without an FFT are asked for: about a second.
LONGEST = {"numpy": 2e10, "torch": 1e9}


@dataclass(frozen=True)
class SignalCase:
    """``call(x, h, mode, boundary)`` on normal random numbers (integers: 0 to 99).

    The taps may be an outer product of vectors, for which there is a method of its own.
    """

    name: str
    x: tuple[int, ...]
    h: tuple[int, ...]
    dtype: str = "float32"
    call: str = "convolve"
    mode: str = "same"
    boundary: str | None = None
    separable: bool = False
    family: str = "signal"

    @property
    def tolerance(self) -> float:
        return tolerance_of(np.dtype(self.dtype))

    @property
    def flops(self) -> int:
        parts = 4 if np.dtype(self.dtype).kind == "c" else 1
        return 2 * parts * math.prod(self._y()) * math.prod(self.h)

    @property
    def bytes(self) -> int:
        samples = sum(math.prod(shape) for shape in (self.x, self.h, self._y()))
        return samples * np.dtype(self.dtype).itemsize

    def libraries(self) -> list[str]:
        return ["pyconvc", *(peer for peer in PEERS if PEERS[peer]() and self._suits(peer))]

    def calls(self) -> dict[str, Call]:
        x, h = self.arrays()
        return {library: self._call(library, x, h) for library in self.libraries()}

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Input and taps."""
        rng, dtype = np.random.default_rng(0), np.dtype(self.dtype)
        x = random(rng, self.x, dtype)
        if not self.separable:
            return x, random(rng, self.h, dtype)
        vectors = [random(rng, (taps,), dtype) for taps in self.h]
        return x, functools.reduce(np.multiply.outer, vectors)

    def _y(self) -> list[int]:
        """Size of the result."""
        more = {"full": 1, "same": 0, "valid": -1}[self.mode]
        return [n + more * (k - 1) for n, k in zip(self.x, self.h, strict=True)]

    def _suits(self, peer: str) -> bool:
        """Whether a peer knows this work; OpenCV and PyTorch: zero-padded odd filters of floats."""
        plain = self.mode == "same" and not self.boundary and np.dtype(self.dtype).kind == "f"
        centred = plain and all(size % 2 for size in self.h)
        short = math.prod(self.x) * math.prod(self.h) <= LONGEST.get(peer, math.inf)
        return {
            "scipy": True,
            "numpy": len(self.x) == 1 and not self.boundary and short,
            "opencv": len(self.x) == 2 and centred,
            "torch": centred and short,
        }.get(peer, False)

    def _call(self, library: str, x: np.ndarray, h: np.ndarray) -> Call:
        if library == "opencv":
            return self._opencv(PEERS["opencv"](), x, h)
        if library == "torch":
            return self._torch(PEERS["torch"](), x, h)
        module = {"pyconvc": pyconvc.signal, "scipy": scipy.signal, "numpy": np}[library]
        options = {"mode": self.mode} | ({"boundary": self.boundary} if self.boundary else {})
        return functools.partial(getattr(module, self.call), x, h, **options)

    def _opencv(self, cv2, x: np.ndarray, h: np.ndarray) -> Call:
        taps = self._correlated(h)
        return lambda: cv2.filter2D(x, -1, taps, borderType=cv2.BORDER_CONSTANT)

    def _torch(self, torch, x: np.ndarray, h: np.ndarray) -> Call:
        conv = getattr(torch.nn.functional, f"conv{x.ndim}d")
        image, taps = (torch.from_numpy(a)[None, None] for a in (x, self._correlated(h)))
        padding = tuple(size // 2 for size in self.h)
        return lambda: conv(image, taps, padding=padding)[0, 0].numpy()

    def _correlated(self, h: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(np.flip(h)) if self.call.startswith("convolve") else h


CASES = (
    SignalCase("1-D 1000 x 9", (1000,), (9,), mode="full"),
    SignalCase("1-D 1e5 x 64", (100_000,), (64,), mode="full"),
    SignalCase("1-D 1e6 x 31", (1_000_000,), (31,)),
    SignalCase("1-D 1e6 x 31 float64", (1_000_000,), (31,), "float64"),
    SignalCase("1-D 1e6 x 31 int32", (1_000_000,), (31,), "int32"),
    SignalCase("1-D 1e6 x 255", (1_000_000,), (255,)),
    SignalCase("1-D 1e6 x 4095", (1_000_000,), (4095,)),
    SignalCase("1-D 1e5 x 1e5", (100_000,), (100_000,), mode="full"),
    SignalCase("2-D 512^2 x 3^2", (512, 512), (3, 3)),
    SignalCase("2-D 2048^2 x 3^2", (2048, 2048), (3, 3)),
    SignalCase("2-D 2048^2 x 5^2", (2048, 2048), (5, 5), call="correlate2d"),
    SignalCase("2-D 2048^2 x 5^2 float64", (2048, 2048), (5, 5), "float64", "correlate2d"),
    SignalCase("2-D 2048^2 x 5^2 wrap", (2048, 2048), (5, 5), call="convolve2d", boundary="wrap"),
    SignalCase("2-D 2048^2 x 5^2 symm", (2048, 2048), (5, 5), call="convolve2d", boundary="symm"),
    SignalCase("2-D 1024^2 x 5^2 int16", (1024, 1024), (5, 5), "int16", "convolve2d"),
    SignalCase("2-D 1024^2 x 5^2 complex64", (1024, 1024), (5, 5), "complex64"),
    SignalCase("2-D 2048^2 x 11^2", (2048, 2048), (11, 11)),
    SignalCase("2-D 2048^2 x 11^2 separable", (2048, 2048), (11, 11), separable=True),
    SignalCase("2-D 2048^2 x 31^2", (2048, 2048), (31, 31)),
    SignalCase("2-D 1024^2 x 101^2", (1024, 1024), (101, 101)),
    SignalCase("3-D 128^3 x 3^3", (128, 128, 128), (3, 3, 3)),
    SignalCase("3-D 128^3 x 7^3", (128, 128, 128), (7, 7, 7)),
)
