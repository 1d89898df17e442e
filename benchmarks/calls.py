"""What calls cost beside their sums: five small tables.

python benchmarks/calls.py threads          two threads over one, on rows bound by arithmetic
python benchmarks/calls.py overhead         small layers, beyond their multiply-adds
python benchmarks/calls.py channels-last    arrays that are channels-last in memory, over NCHW
python benchmarks/calls.py first            the first call of a shape over the tenth
python benchmarks/calls.py changing         layers of shapes that change at every call
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import itertools
import time
from collections.abc import Callable

import limits
import numpy as np
import shapes

import pyconvc
from pyconvc import nn
from pyconvc._cli.bench import conv, machine, signal
from pyconvc._cli.bench.conv import ConvCase
from pyconvc._cli.bench.measure import take_turns
from pyconvc._cli.console import show_table
from pyconvc.nn import _passes

LAYERS = {case.name: case for case in (*conv.CASES, *signal.CASES)}
BOUND = (
    "3x3 64 @224",
    "3x3 64 @56",
    "3x3 dilation 2 256 @28",
    "7x7 stride 2 3-64 @224",
    "1x1 64-256 @56",
    "7x7 depthwise 96 @56",
    "1-D 9 64 dilation 8 @16000",
    "3-D 3^3 64 @16x28^2",
    "3x3 stride 2 128 @56 weight_grad",
    "transposed 2x2 stride 2 128-64 @64",
    "2-D 2048^2 x 11^2",
)
SMALL = (
    ConvCase("1x1 1 @1", (1, 1, 1, 1), (1, 1, 1, 1)),
    LAYERS["3x3 8-16 @16"],
    ConvCase("3x3 16 @8", (1, 16, 8, 8), (16, 16, 3, 3), padding=1),
    ConvCase("1x1 32 @7", (1, 32, 7, 7), (32, 32, 1, 1)),
    ConvCase("3x3 depthwise 32 @7", (1, 32, 7, 7), (32, 1, 3, 3), padding=1, groups=32),
)
STORED = (
    "3x3 64 @56",
    "1x1 64-256 @56",
    "3x3 stride 2 128 @56",
    "3x3 depthwise 32 @112",
    "7x7 depthwise 96 @56",
)
FRESH = ("3x3 64 @56", "1x1 512-128 @28", "3x3 depthwise 32 @112", "3x3 8-16 @16")
NEIGHBOURS, CALLS = 12, 10  # shapes beside each of FRESH, calls of each
CHANGES = 1000


def threads(seconds: float) -> tuple:
    """The numbers of threads take turns."""
    rows = []
    for name in BOUND:
        call = LAYERS[name].calls()["pyconvc"]
        calls = {count: functools.partial(_with, count, call) for count in (1, 2)}
        one, two = take_turns(calls, seconds).values()
        rows.append([name, _ms(one), _ms(two), f"{one / two:.2f}"])
    return ("row", "one, ms", "two, ms", "gain"), rows


def _with(count, call):
    pyconvc.set_num_threads(count)
    return call()


def overhead(seconds: float) -> tuple:
    """A call, one of a plan, one of the library; and what multiply-adds alone would take."""
    rate, rows = limits.limits()["float32"], []
    for case in SMALL:
        x, w, y = case.arrays()
        numbers = case.stride, case.padding, case.dilation, case.groups
        run = functools.partial(_passes.correlate, case.layer, x, w, None, y)
        calls = {
            "call": case.calls()["pyconvc"],
            "plan": functools.partial(nn.plan(x.shape, w, None, *numbers), x),
            "library": functools.partial(run, flip=False, workers=1),
        }
        times = [1e6 * best for best in take_turns(calls, seconds).values()]
        sums = 1e6 * case.flops / rate
        times += [sums, times[0] - sums]
        rows.append([case.name, *(f"{microseconds:.2f}" for microseconds in times)])
    return ("row", "call, us", "plan, us", "library, us", "sums, us", "beyond sums, us"), rows


def channels_last(seconds: float) -> tuple:
    """Inputs and results as NHWC in memory, and as NCHW."""
    rows = []
    for name in STORED:
        case = LAYERS[name]
        x, w, y = case.arrays()
        numbers = case.stride, case.padding, case.dilation, case.groups
        last = [np.ascontiguousarray(np.moveaxis(a, 1, -1)) for a in (x, y)]
        last = [np.moveaxis(a, -1, 1) for a in last]
        calls = {
            key: functools.partial(nn.conv2d, inputs, w, None, *numbers, out=out)
            for key, inputs, out in (("NCHW", x, y), ("last", *last))
        }
        usual, turned = take_turns(calls, seconds).values()
        rows.append([name, _ms(usual), _ms(turned), f"{turned / usual:.2f}"])
    return ("row", "NCHW, ms", "channels-last, ms", "ratio"), rows


def first(seconds: float) -> tuple:
    """Shapes that no call has seen, each called some times; and again with new arrays.

    New arrays are cold, and memory that the system hands out anew takes time of its own, whether
    their shape was seen or not. The largest come first, so that memory is handed out once.
    """
    rows = []
    for name in FRESH:
        ratios: dict[bool, list] = {False: [], True: []}
        for more in range(NEIGHBOURS, 0, -1):
            case = LAYERS[name]
            space = (case.x[2] + more, case.x[3] + 2 * more)
            for of in ratios.values():
                call = dataclasses.replace(case, x=(*case.x[:2], *space)).calls()["pyconvc"]
                times = [_once(call) for _ in range(CALLS)]
                of.append(times[0] / times[-1])
        new, seen_before = (f"{np.median(of):.2f}" for of in ratios.values())
        rows.append([name, new, f"{max(ratios[False]):.2f}", seen_before])
    return ("row", "median of first / tenth", "largest", "median, shape seen before"), rows


def changing(seconds: float) -> tuple:
    """The first and the best of the next calls of layers of random shapes."""
    ratios, names, extra = [], [], []
    for case in itertools.islice(shapes.layers(CHANGES, seed=1), CHANGES):
        call = case.calls()["pyconvc"]
        once, again = _once(call), min(_once(call) for _ in range(3))
        ratios.append(once / again)
        extra.append(1e6 * (once - again))
        names.append(case.name)
    worst = int(np.argmax(ratios))
    told = [f"{np.quantile(ratios, part):.2f}" for part in (0.5, 0.99, 1)]
    told += [f"{np.quantile(extra, part):.0f}" for part in (0.5, 0.99)]
    head = "shapes", "median of first / next", "99 of 100", "largest", "more, us", "99 of 100, us"
    return (*head, "the largest"), [[str(len(names)), *told, names[worst]]]


def _once(call: Callable) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:.3g}"


TABLES = {
    "threads": threads,
    "overhead": overhead,
    "channels-last": channels_last,
    "first": first,
    "changing": changing,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("table", choices=TABLES)
    parser.add_argument("--threads", type=int, default=1, help="but where they vary")
    parser.add_argument("--seconds", type=float, default=0.5, help="spent on a row, about")
    options = parser.parse_args()
    with machine.threads(options.threads):
        show_table(machine.describe(), *TABLES[options.table](options.seconds))


if __name__ == "__main__":
    main()
