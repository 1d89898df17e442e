"""Gaussian filters of large images beside OpenCV and scikit-image: times, and memory beside arrays.

    python benchmarks/gaussian.py [--size 4096] [--threads 1] [--seconds 2] [--no-memory]

Windows of four standard deviations on either side, edges repeated. scikit-image and scipy.ndimage
are serial; scikit-image returns floating point for integers. Memory is what is resident at once
beyond input and output, in a fresh process for each figure.
"""

import argparse
import functools
import json
import subprocess
import sys

import numpy as np
import scipy.ndimage

from pyconvc import ndimage
from pyconvc._cli.bench.machine import describe, threads
from pyconvc._cli.bench.measure import take_turns
from pyconvc._cli.console import show_table

PICTURES = {
    "noise": lambda rng, row, n: rng.random(n),
    "smooth": lambda rng, row, n: 0.5 + 0.5 * np.cos(row / 131) * np.sin(np.arange(n) / 97),
    "photo": lambda rng, row, n: np.resize(photo()[row % 512] / 255, n),
}
# Sums of bytes in smooth places are near whole numbers, and then looked at once more.
ROWS = (
    ("uint8", "noise"),
    ("uint8", "smooth"),
    ("uint8", "photo"),
    ("uint16", "noise"),
    ("float32", "noise"),
)
SIGMAS = (1, 5)


@functools.lru_cache
def photo():
    """A photograph of 512 x 512 bytes, repeated as tiles."""
    from skimage import data

    return data.camera()


def ours(x, sigma, y):
    return ndimage.gaussian_filter(x, sigma, output=y)


def opencv(x, sigma, y):
    import cv2

    size = (2 * int(4 * sigma + 0.5) + 1,) * 2
    return cv2.GaussianBlur(x, size, sigma, dst=y, borderType=cv2.BORDER_REFLECT)


def scikit_image(x, sigma, y):
    from skimage.filters import gaussian

    return gaussian(x, sigma, mode="reflect", preserve_range=True, out=y)


def scipys(x, sigma, y):
    return scipy.ndimage.gaussian_filter(x, sigma, output=y)


LIBRARIES = {
    "pyconvc": ours,
    "opencv": opencv,
    "scikit-image": scikit_image,
    "scipy": scipys,
}


def prepared(name, dtype, picture, sigma, size):
    """A call of a library, and arrays for it."""
    rng = np.random.default_rng(0)
    x = np.empty((size, size), dtype)
    for i, row in enumerate(x):
        row[...] = PICTURES[picture](rng, i, size) * 255
    result = np.float32 if name == "scikit-image" else dtype
    y = np.full(x.shape, 1, result)  # resident
    return lambda: LIBRARIES[name](x, sigma, y)


def installed():
    """The libraries that run here."""
    names = []
    for name in LIBRARIES:
        try:
            prepared(name, "float32", "noise", 1, 16)()
        except ImportError:
            continue
        names.append(name)
    return names


def peak(*job):
    """Bytes of a call beside its arrays, in a fresh process."""
    command = [sys.executable, __file__, "--measure", json.dumps(job)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def measure(name, dtype, picture, sigma, size, workers):
    """The same in this process, after a small call has loaded what is loaded when first used."""
    with threads(workers):
        prepared(name, dtype, picture, sigma, 256)()
        call = prepared(name, dtype, picture, sigma, size)
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")  # VmHWM, the most that was resident, starts anew
        before = resident("VmRSS")
        call()
        return resident("VmHWM") - before


def resident(field):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith(field))


def row(dtype, picture, sigma, names, arguments):
    """Times, ratios and memory of one kind of image."""
    calls = {name: prepared(name, dtype, picture, sigma, arguments.size) for name in names}
    best = take_turns(calls, arguments.seconds)
    cells = [f"{dtype} {picture}, sigma {sigma}"]
    for name in names:
        ratio = "" if name == "pyconvc" else f" ({best[name] / best['pyconvc']:.1f})"
        cells.append(f"{best[name] * 1e3:.1f}{ratio}")
    if arguments.memory:
        job = (dtype, picture, sigma, arguments.size, arguments.threads)
        cells += [f"{peak(name, *job) / 2**20:.1f}" for name in names]
    return cells


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=2.0, help="for each row")
    parser.add_argument("--no-memory", dest="memory", action="store_false")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(measure(*json.loads(arguments.measure)))
        return
    names = installed()
    kinds = [kind for kind in ROWS if kind[1] != "photo" or "scikit-image" in names]
    head = [f"{arguments.size}^2", *(f"{name} ms" for name in names)]
    if arguments.memory:
        head += [f"{name} MiB" for name in names]
    with threads(arguments.threads):
        rows = [row(*kind, sigma, names, arguments) for kind in kinds for sigma in SIGMAS]
    title = f"{describe()}, threads: {arguments.threads}; in brackets: times our time"
    show_table(title, head, rows)


if __name__ == "__main__":
    main()
