"""Blur, sharpen and find the edges of a real photograph, beside SciPy and OpenCV.

    python demo/photo.py [PHOTO] [--seconds S]

Without PHOTO it is the human retina that ships inside scikit-image's wheel: 1411 x 1411, colour, by
Mikael Häggström, released under CC0 1.0 (doi:10.15347/wjm/2014.008).

Every library filters the same float32 planes, one per colour, with edges mirrored (the edge sample
repeated) and the same taps. Times are for all planes, the best of turns in which the libraries
alternate; one that takes longer than S seconds has a single turn.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import PIL.Image
import PIL.ImageDraw
import scipy.signal

import pyconvc.signal
from pyconvc._cli import images, kernels
from pyconvc._cli.bench.machine import describe
from pyconvc._cli.bench.measure import take_turns
from pyconvc._cli.console import show_table

try:
    import cv2
except ImportError:
    cv2 = None

CREDIT = "the human retina by Mikael Häggström, CC0 1.0, from scikit-image's wheel"
OUT = Path(__file__).parent / "out"
PANEL = 560  # rows and columns of the part that the sheet shows

Plane = np.ndarray
Convolve = Callable[..., Plane]  # (plane, taps) -> plane

BLUR, SHARPEN, RIGHT, DOWN = (
    taps.astype(np.float32)
    for taps in (
        kernels.gaussian(2, 2),
        kernels.sharpen(2),
        kernels.sobel(2, -1),
        kernels.sobel(2, -2),
    )
)
ROW = BLUR.sum(axis=0, keepdims=True)
SIZE = f"{BLUR.shape[0]} x {BLUR.shape[1]}"


class Library(NamedTuple):
    """How one library convolves a plane with taps, and with taps that are column times row."""

    convolve: Convolve
    separable: Callable[[Plane, np.ndarray], Plane]


class Job(NamedTuple):
    """A filter as any library does it, the taps it uses, and the method asked of pyconvc."""

    name: str
    taps: np.ndarray
    method: str
    run: Callable[[Library, Plane], Plane]


def pyconvc_by(method: str) -> Library:
    def convolve(plane: Plane, taps: np.ndarray) -> Plane:
        return pyconvc.signal.convolve(plane, taps, "same", method, boundary="symm")

    return Library(convolve, lambda plane, row: convolve(plane, row.T * row))


def scipy_convolve(plane: Plane, taps: np.ndarray) -> Plane:
    return scipy.signal.convolve2d(plane, taps, "same", "symm")


def opencv_convolve(plane: Plane, taps: np.ndarray) -> Plane:
    """OpenCV correlates: it gets the taps reversed."""
    return cv2.filter2D(plane, -1, np.flip(taps).copy(), borderType=cv2.BORDER_REFLECT)


def magnitude(across: Plane, down: Plane) -> Plane:
    """The length of the gradient; grey levels are far from overflow."""
    return np.sqrt(across * across + down * down)


PEERS = {
    "SciPy": Library(
        scipy_convolve, lambda plane, row: scipy_convolve(scipy_convolve(plane, row), row.T)
    ),
}
if cv2:
    PEERS["OpenCV"] = Library(
        opencv_convolve,
        lambda plane, row: cv2.sepFilter2D(plane, -1, row, row, borderType=cv2.BORDER_REFLECT),
    )

JOBS = (
    Job(f"blur {SIZE}, in full", BLUR, "direct", lambda lib, p: lib.convolve(p, BLUR)),
    Job(f"blur {SIZE}, separable", BLUR, "auto", lambda lib, p: lib.separable(p, ROW)),
    Job("sharpen 3 x 3", SHARPEN, "auto", lambda lib, p: lib.convolve(p, SHARPEN)),
    Job(
        "Sobel pair, magnitude",
        RIGHT,
        "auto",
        lambda lib, p: magnitude(lib.convolve(p, RIGHT), lib.convolve(p, DOWN)),
    ),
)


def main() -> None:
    arguments = parse()
    photo, credit = load(arguments.photo)
    planes = [photo[:, :, c].astype(np.float32) for c in range(photo.shape[2])]
    print(f"Photo: {credit}; {photo.shape[1]} x {photo.shape[0]}, {len(planes)} colours")
    rows, panels = [], {"photo": photo}
    for job in JOBS:
        row, result = measure(job, planes, arguments.seconds)
        rows.append(row)
        panels[job.name.split()[0]] = images.settle(np.stack(result, axis=-1), photo.dtype)
    head = ["filter", "method", "pyconvc", *PEERS, "largest difference"]
    title = f"{describe()}, threads: {pyconvc.get_num_threads()}"
    show_table(f"{title}\nTimes; in brackets, how many times ours", head, rows)
    print("Largest difference from SciPy, in grey levels of 0 to 255, before rounding.")
    OUT.mkdir(exist_ok=True)
    side_by_side(panels).save(OUT / "side-by-side.png")
    print(f"Wrote {OUT / 'side-by-side.png'}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photo", nargs="?", type=Path, metavar="PHOTO", help="8-bit colour")
    parser.add_argument("--seconds", type=float, default=1.0, metavar="S", help="a row, about")
    return parser.parse_args()


def load(path: Path | None) -> tuple[np.ndarray, str]:
    """8-bit samples (rows, columns, 3) and where they come from."""
    if path:
        return np.asarray(PIL.Image.open(path).convert("RGB")), str(path)
    import skimage.data

    return skimage.data.retina(), CREDIT


def measure(job: Job, planes: list[Plane], seconds: float) -> tuple[list[str], list[Plane]]:
    """A row of the table, and our result plane by plane."""
    libraries = {"pyconvc": pyconvc_by(job.method)} | PEERS
    results: dict[str, list[Plane]] = {}

    def call(name: str) -> None:
        results[name] = [job.run(libraries[name], plane) for plane in planes]

    times = take_turns({name: partial(call, name) for name in libraries}, seconds)
    pairs = zip(results["pyconvc"], results["SciPy"], strict=True)
    difference = max(float(np.abs(mine - theirs).max()) for mine, theirs in pairs)
    method = job.method
    if method == "auto":
        choice = pyconvc.signal.choose(planes[0], job.taps, "same", boundary="symm")
        method = f"auto: {choice.method}"
    cells = [f"{times[peer] * 1e3:.1f} ms ({times[peer] / times['pyconvc']:.1f})" for peer in PEERS]
    row = [job.name, method, f"{times['pyconvc'] * 1e3:.2f} ms", *cells, f"{difference:.1e}"]
    return row, results["pyconvc"]


def side_by_side(pictures: dict[str, np.ndarray]) -> PIL.Image.Image:
    """The middle of each picture at full size, with its name above."""
    names, height = list(pictures), 24
    sheet = PIL.Image.new("RGB", (PANEL * len(names), PANEL + height), "white")
    draw = PIL.ImageDraw.Draw(sheet)
    for index, name in enumerate(names):
        rows, columns = pictures[name].shape[:2]
        top, left = max(0, rows - PANEL) // 2, max(0, columns - PANEL) // 5
        part = pictures[name][top : top + PANEL, left : left + PANEL]
        sheet.paste(PIL.Image.fromarray(part), (index * PANEL, height))
        draw.text((index * PANEL + 8, 4), name, fill="black", font_size=14)
    return sheet


if __name__ == "__main__":
    main()
