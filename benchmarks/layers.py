"""Memory that layers take beside their arrays, and what flipped filters cost: two tables.

    python benchmarks/layers.py [CASES.json] [--only REGEX] [--workers 1]

A case is an object with "name", shapes "x" and "w" and, where they are not 1, 0, 1, 1, "stride",
"padding", "dilation" and "groups"; others of a longer list, such as gradients, are passed over.
"""

import argparse
import functools
import json
import re
import subprocess
import sys
import time

import numpy as np

from pyconvc import nn
from pyconvc.arithmetic import conv_output_size

CASES = [
    {"name": "3x3 64 @56", "x": [1, 64, 56, 56], "w": [64, 64, 3, 3], "padding": 1},
    {"name": "3x3 64 @224", "x": [1, 64, 224, 224], "w": [64, 64, 3, 3], "padding": 1},
    {"name": "1x1 64-256 @56", "x": [1, 64, 56, 56], "w": [256, 64, 1, 1]},
    {"name": "7x7 s2 3-64", "x": [1, 3, 224, 224], "w": [64, 3, 7, 7], "padding": 3, "stride": 2},
    {
        "name": "depthwise 3x3 32 @112",
        "x": [1, 32, 112, 112],
        "w": [32, 1, 3, 3],
        "padding": 1,
        "groups": 32,
    },
    {"name": "1-D 64 k9 dil8", "x": [1, 64, 16000], "w": [64, 64, 9], "padding": 32, "dilation": 8},
    {"name": "3-D 64", "x": [1, 64, 16, 28, 28], "w": [64, 64, 3, 3, 3], "padding": 1},
    {"name": "plane 2048^2 x 5^2", "x": [1, 1, 2048, 2048], "w": [1, 1, 5, 5], "padding": 2},
]
METHODS = ["direct", "gemm"]
ARGUMENTS = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1}
SECONDS = 2.0  # for the two forms of a case


def peak(case, method, workers):
    """Bytes of a call beside its arrays, in a fresh process."""
    job = json.dumps({**case, "method": method, "workers": workers})
    command = [sys.executable, __file__, "--measure", job]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def measure(case):
    """The same in this process, which has loaded the method by the smallest such call."""
    method, workers = case["method"], case["workers"]
    reach = [case.get("dilation", 1) * (k - 1) + 1 for k in case["w"][2:]]
    prepared({**case, "x": [*case["x"][:2], *reach]})(method=method, workers=workers)
    call = prepared(case)
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # VmHWM, the most that was resident, starts anew
    before = resident("VmRSS")
    call(method=method, workers=workers)
    return resident("VmHWM") - before


def resident(field):
    """Bytes of a line of the process's status."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith(field))


def prepared(case):
    """A call with its arrays and an array for the result."""
    dtype = case.get("dtype", "float32")
    x, w = (np.full(case[name], 0.5, dtype) for name in "xw")
    numbers = {name: case.get(name, default) for name, default in ARGUMENTS.items()}
    sizes = {name: value for name, value in numbers.items() if name != "groups"}
    space = conv_output_size(x.shape[2:], w.shape[2:], **sizes)
    out = np.ones((len(x), len(w), *space), dtype)
    return functools.partial(getattr(nn, f"conv{w.ndim - 2}d"), x, w, out=out, **numbers)


def flip_cost(case, workers):
    """Best time with flipped filters over the best without, turn by turn."""
    call = functools.partial(prepared(case), method="direct", workers=workers)
    best, end = [np.inf, np.inf], time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        for flip in (False, True):
            start = time.perf_counter()
            call(flip_filters=flip)
            best[flip] = min(best[flip], time.perf_counter() - start)
    return best[1] / best[0]


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("cases", nargs="?", type=argparse.FileType())
    parser.add_argument("--only", default="")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--measure", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(measure(options.measure))
        return
    cases = json.load(options.cases) if options.cases else CASES
    cases = [c for c in cases if {"x", "w"} <= c.keys() and "op" not in c and "plan" not in c]
    print("MiB beside the arrays, packed filters included; filters; time flipped / not")
    print("case".ljust(32), *(name.rjust(8) for name in [*METHODS, "filters", "flipped"]))
    for case in cases:
        if re.search(options.only, case["name"]):
            sizes = [peak(case, method, options.workers) for method in METHODS]
            sizes.append(int(np.prod(case["w"])) * np.dtype(case.get("dtype", "float32")).itemsize)
            figures = [f"{size / 2**20:8.2f}" for size in sizes]
            print(case["name"].ljust(32), *figures, f"{flip_cost(case, options.workers):8.3f}")


if __name__ == "__main__":
    main()
