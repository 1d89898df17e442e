"""Time against size: cases that differ in one number, beside their peers.

Each sweep gives rows (sweep, number, line, seconds), where a line is a library or a method.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator

import regret

import pyconvc
from pyconvc._cli.bench.case import PEERS, Case
from pyconvc._cli.bench.conv import ConvCase
from pyconvc._cli.bench.measure import one, take_turns
from pyconvc._cli.bench.signal import SignalCase

Row = tuple[str, int, str, float]

IMAGES = [32 << i for i in range(9)]  # sides
CHANNELS = [1 << i for i in range(11)]
TAPS = [3, 7, 15, 31, 63, 127, 255, 511, 1023, 4095, 16383, 100_001]
LINE = 1 << 20  # samples that many taps meet
MOST_PRODUCTS = 2e9  # beyond, a method is not timed
SCALED = (
    ConvCase("layer 3x3 64 @112", (1, 64, 112, 112), (64, 64, 3, 3), padding=1),
    ConvCase("layer 1x1 256 @56", (1, 256, 56, 56), (256, 256, 1, 1)),
    ConvCase("depthwise 7x7 96 @56", (1, 96, 56, 56), (96, 1, 7, 7), padding=3, groups=96),
    SignalCase("filter 11x11 2048^2", (2048, 2048), (11, 11)),
    SignalCase("filter 3x3 4096^2", (4096, 4096), (3, 3)),
)


def images(seconds: float, sides=IMAGES) -> Iterator[Row]:
    """A filter of 5x5 taps on square images."""
    for side in sides:
        case = SignalCase("", (side, side), (5, 5))
        yield from _beside_peers("images", side, case, seconds)


def channels(seconds: float, counts=CHANNELS) -> Iterator[Row]:
    """A layer of 3x3 taps from and to so many channels, images of 28x28."""
    for count in counts:
        case = ConvCase("", (1, count, 28, 28), (count, count, 3, 3), padding=1)
        yield from _beside_peers("channels", count, case, seconds)


def taps(seconds: float, counts=TAPS) -> Iterator[Row]:
    """Lines of many taps: the methods, what is chosen, and scipy's choice."""
    for count in counts:
        case = SignalCase("", (LINE,), (count,))
        _, calls = regret.signal(case)
        if LINE * count > MOST_PRODUCTS:
            del calls["direct"]
        calls |= {k: v for k, v in case.calls().items() if k in ("pyconvc", "scipy")}
        for line, best in take_turns(calls, seconds).items():
            yield "taps", count, line, best


def workers(seconds: float, cases: tuple[Case, ...], most: int) -> Iterator[Row]:
    """Our time by threads, whose numbers take turns."""
    counts = range(1, most + 1)
    for case in cases:
        call = case.calls()["pyconvc"]
        calls = {count: functools.partial(_with, count, call) for count in counts}
        for count, best in take_turns(calls, seconds).items():
            yield "workers", count, case.name, best


def _with(count: int, call: Callable):
    pyconvc.set_num_threads(count)
    return call()


def _beside_peers(sweep: str, number: int, case: Case, seconds: float) -> Iterator[Row]:
    for library, best in one(case, PEERS, seconds).seconds.items():
        yield sweep, number, library, best
