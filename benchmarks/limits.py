"""What a core of this machine can do at most: multiply-adds, passes over memory and over a cache.

python benchmarks/limits.py
"""

from __future__ import annotations

import ctypes
import functools
import os
import shlex
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from pyconvc._cli.bench.measure import take_turns

SOURCE = Path(__file__).with_name("peak.c")
FLAGS = ["-O3", "-march=native", "-ffp-contract=fast", "-shared", "-fPIC"]
ROUNDS = 1_000_000
FAR, NEAR = 1 << 27, 1 << 17  # bytes of an array in memory, of one in the second-level cache
SECONDS = 0.5  # for each


def limits() -> dict[str, float]:
    """Flop/s of each precision, and bytes/s that a pass with changed sign reads and writes."""
    with tempfile.TemporaryDirectory() as place:
        library = _compiled(Path(place) / "peak.so")
        calls = {name: _peak(library, name) for name in ("float32", "float64")}
        flops = {name: ROUNDS * getattr(library, f"flops_{name}")() for name in calls}
        calls |= {"memory": _copy(FAR), "cache": _copy(NEAR)}
        work = flops | {"memory": 2 * FAR, "cache": 2 * NEAR}
        seconds = {k: take_turns({k: call}, SECONDS)[k] for k, call in calls.items()}
    return {name: work[name] / seconds[name] for name in calls}


def _compiled(path):
    compiler = shlex.split(os.environ.get("CC", "cc"))
    subprocess.run([*compiler, *FLAGS, str(SOURCE), "-o", str(path)], check=True)
    return ctypes.CDLL(str(path))


def _peak(library, name):
    number = {"float32": ctypes.c_float, "float64": ctypes.c_double}[name]
    call = getattr(library, f"peak_{name}")
    call.argtypes, call.restype = [ctypes.c_long, number, number], ctypes.c_double
    return functools.partial(call, ROUNDS, 0.999, 0.001)


def _copy(size):
    source, target = (np.ones(size // 4, np.float32) for _ in range(2))
    return functools.partial(
        np.negative, source, out=target
    )  # some copies of small arrays are slow


if __name__ == "__main__":
    for name, rate in limits().items():
        print(f"{name:8s} {rate / 1e9:7.1f} G/s")
