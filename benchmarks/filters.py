"""Filters of pyconvc.ndimage as they are called most, beside scipy.ndimage and OpenCV.

    python benchmarks/filters.py [--only REGEX] [--threads 1] [--seconds 0.2]

Derivatives, means and lines of all kinds of samples; results of other dtypes than their inputs;
arrays whose memory has another order, channels of pixels, small images, long windows. A row has our
time for a sample, and how many times that the others take. OpenCV's derivatives of bytes have 16
bits; it takes no part in rows that it has no such filter for. scipy.ndimage is serial.
"""

import argparse
import re
from dataclasses import dataclass, field

import numpy as np
import scipy.ndimage

from pyconvc import ndimage
from pyconvc._cli.bench.machine import describe, threads
from pyconvc._cli.bench.measure import take_turns
from pyconvc._cli.console import show_table

LINE = np.random.default_rng(1).random(9)
SQUARE = np.random.default_rng(2).random((3, 3))
IMAGE, VOLUME, PIXELS = (2048, 2048), (128, 128, 128), (1024, 1024, 3)


def blurred(sigma):
    """OpenCV's Gaussian with scipy's window."""
    size = (2 * int(4 * sigma + 0.5) + 1,) * 2
    return lambda cv2, x: cv2.GaussianBlur(x, size, sigma, borderType=cv2.BORDER_REFLECT)


def mean(n):
    return lambda cv2, x: cv2.blur(x, (n, n), borderType=cv2.BORDER_REFLECT)


def derivative(name, *order):
    """OpenCV's Sobel or Laplacian."""

    def call(cv2, x):
        depth = cv2.CV_16S if x.dtype == np.uint8 else -1
        size = 3 if order else 1
        return getattr(cv2, name)(x, depth, *order, ksize=size, borderType=cv2.BORDER_REFLECT)

    return call


def square(cv2, x):
    return cv2.filter2D(x, -1, SQUARE, borderType=cv2.BORDER_REFLECT)


def as_it_is(x):
    return x


@dataclass
class Case:
    """A row: a function of both packages, its input, and how OpenCV is called, if it can be."""

    name: str
    function: str
    arguments: tuple = ()
    options: dict = field(default_factory=dict)
    shape: tuple = IMAGE
    dtype: str = "float32"
    opencv: object = None
    placed: object = as_it_is  # the input in memory

    def input(self):
        values = np.random.default_rng(0).random(self.shape)
        return self.placed((values * (1 if self.dtype[0] == "f" else 255)).astype(self.dtype))

    def calls(self, cv2):
        """A call of each library; without arguments for the result, which is part of most calls."""
        x = self.input()

        def of(module):
            return lambda: getattr(module, self.function)(x, *self.arguments, **self.options)

        calls = {"pyconvc": of(ndimage), "scipy": of(scipy.ndimage)}
        if cv2 and self.opencv:
            calls["opencv"] = lambda: self.opencv(cv2, x)
        return calls


def derivatives():
    for dtype in "uint8", "int16", "int32", "float32", "float64":
        sobel, laplacian = derivative("Sobel", 1, 0), derivative("Laplacian")
        has = dtype != "int32"
        yield Case(f"sobel {dtype}", "sobel", dtype=dtype, opencv=sobel if has else None)
        yield Case(f"laplace {dtype}", "laplace", dtype=dtype, opencv=laplacian if has else None)
    for dtype in "uint8", "float32", "float64":
        for name in "gaussian_laplace", "gaussian_gradient_magnitude":
            yield Case(f"{name} 2 {dtype}", name, (2.0,), dtype=dtype)
        yield Case(f"gaussian 2 order 1 {dtype}", "gaussian_filter", (2.0, 1), dtype=dtype)
    for dtype in "uint8", "float32":
        yield Case(f"laplace 128^3 {dtype}", "laplace", shape=VOLUME, dtype=dtype)
    yield Case("sobel uint8 -> int16", "sobel", (-1, np.int16), dtype="uint8")


def means():
    for dtype in "uint8", "uint16", "float32", "float64":
        for n in 3, 31:
            yield Case(f"uniform {n} {dtype}", "uniform_filter", (n,), dtype=dtype, opencv=mean(n))
    for n in 5, 101, 10001:
        for dtype in "uint8", "float32", "float64":
            name = f"uniform {n} of 1e6 {dtype}"
            yield Case(name, "uniform_filter1d", (n,), shape=(10**6,), dtype=dtype)


def lines():
    for axis in range(3):
        for dtype in "uint8", "float32", "float64":
            options, name = {"axis": axis}, f"correlate1d 9 axis {axis} 128^3 {dtype}"
            yield Case(name, "correlate1d", (LINE,), options, VOLUME, dtype)


def results():
    """Of dtypes other than the input's."""
    for source, result in ("uint8", "float32"), ("uint8", "float64"), ("float32", "uint8"):
        for name, arguments in ("gaussian_filter", (2.0,)), ("uniform_filter", (5,)):
            options = {"output": np.dtype(result)}
            title = f"{name.split('_')[0]} {arguments[0]:g} {source} -> {result}"
            yield Case(title, name, arguments, options, dtype=source)


def layouts():
    """Of memory."""
    places = {
        "columns": np.asfortranarray,
        "every second column": lambda x: np.repeat(x, 2, 1)[:, ::2],
    }
    for dtype in "uint8", "float32":
        for place, placed in places.items():
            name = f"gaussian 2 {place} {dtype}"
            yield Case(name, "gaussian_filter", (2.0,), dtype=dtype, placed=placed)
        options, name = {"axes": (0, 1)}, f"gaussian 2 channels {dtype}"
        yield Case(name, "gaussian_filter", (2.0,), options, PIXELS, dtype, blurred(2))


def small():
    sobel = derivative("Sobel", 1, 0)
    for n in 64, 256:
        for dtype in "uint8", "float32":
            where = {"shape": (n, n), "dtype": dtype}
            yield Case(
                f"gaussian 1 {n}^2 {dtype}", "gaussian_filter", (1.0,), **where, opencv=blurred(1)
            )
            yield Case(f"sobel {n}^2 {dtype}", "sobel", **where, opencv=sobel)
            yield Case(f"uniform 5 {n}^2 {dtype}", "uniform_filter", (5,), **where, opencv=mean(5))
            yield Case(f"convolve 3^2 {n}^2 {dtype}", "convolve", (SQUARE,), **where, opencv=square)
    for name, arguments in ("gaussian_filter", (1.0,)), ("laplace", ()):
        title = f"{name.split('_')[0]} 500 x 32^2 float32"
        yield Case(title, name, arguments, {"axes": (1, 2)}, (500, 32, 32))


def cases():
    for part in derivatives, means, lines, results, layouts, small:
        yield from part()


def row(case, cv2, seconds):
    best = take_turns(case.calls(cv2), seconds)
    ours = best["pyconvc"]
    ratios = [f"{best[name] / ours:.1f}" if name in best else "" for name in ("scipy", "opencv")]
    samples = np.prod(case.shape)
    return [case.name, f"{ours * 1e6:.1f}", f"{ours * 1e9 / samples:.2f}", *ratios]


def find_opencv():
    try:
        import cv2
    except ImportError:
        return None
    return cv2


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="rows whose name this matches")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=0.2, help="for each row")
    arguments = parser.parse_args()
    chosen = [case for case in cases() if re.search(arguments.only, case.name)]
    with threads(arguments.threads):
        rows = [row(case, find_opencv(), arguments.seconds) for case in chosen]
    title = f"{describe()}, threads: {arguments.threads}; scipy and opencv: times our time"
    show_table(title, ["", "us", "ns a sample", "scipy", "opencv"], rows)


if __name__ == "__main__":
    main()
