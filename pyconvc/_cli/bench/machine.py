"""The machine and the versions that a table was measured on, and the threads of every library."""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import scipy
import scipy.fft

import pyconvc
from pyconvc._cli.bench.case import PEERS, optional
from pyconvc._cli.console import UsageError

LABELS = {"OpenCV": "opencv", "PyTorch": "torch", "ONNX Runtime": "onnxruntime"}


@contextlib.contextmanager
def threads(count: int | None) -> Iterator[int]:
    """Give pyconvc and its peers `count` threads (None: pyconvc's default) and yield the number."""
    before = pyconvc.get_num_threads()
    count = before if count is None else count
    if count < 1:
        raise UsageError(f"--threads {count}: wants at least 1")
    with contextlib.ExitStack() as stack:
        stack.callback(pyconvc.set_num_threads, before)
        pyconvc.set_num_threads(count)
        stack.enter_context(scipy.fft.set_workers(count))
        if threadpoolctl := optional("threadpoolctl"):
            stack.enter_context(threadpoolctl.threadpool_limits(count))
        if cv2 := PEERS["opencv"]():
            cv2.setNumThreads(count)
        if torch := PEERS["torch"]():
            stack.enter_context(torch.inference_mode())
            torch.set_num_threads(count)
        yield count


def describe() -> str:
    """One line: processor, instruction set, and the versions that were timed."""
    return f"{processor()} ({pyconvc.isa()}), {', '.join(versions())}"


def versions() -> list[str]:
    """Of Python, of pyconvc and of the peers that are installed."""
    found = [f"Python {platform.python_version()}", f"pyconvc {pyconvc.__version__}"]
    found += [f"NumPy {np.__version__}", f"SciPy {scipy.__version__}"]
    return found + [
        f"{label} {module.__version__.partition('+')[0]}"
        for label, peer in LABELS.items()
        if (module := PEERS[peer]())
    ]


def processor() -> str:
    """The processor's name as the system tells it."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
