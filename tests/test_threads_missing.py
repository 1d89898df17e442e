"""Threads that the system does not start are done without."""

import os

import pytest
from isolated import run_python

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs the limits of POSIX")

SETUP = """
    import os, resource
    import numpy as np
    import pyconvc
    from pyconvc import nn

    def limit(kind):
        if kind == "processes":
            if os.getuid() == 0:  # whom the limit does not bind
                os.setuid(54321)
            resource.setrlimit(resource.RLIMIT_NPROC, (2, 2))
        else:
            pages = int(open("/proc/self/statm").read().split()[0])
            used = pages * resource.getpagesize() + (100 << 20)
            resource.setrlimit(resource.RLIMIT_AS, (used, used))

    x, w = np.arange(600.0 * 700).reshape(600, 700) % 19, np.arange(90.0).reshape(9, 10)
    layer = x.reshape(7, 6, 100, 100), np.arange(96.0).reshape(4, 6, 2, 2)
    calls = {
        "signal direct": lambda n: pyconvc.convolve(x, w, method="direct", workers=n),
        "signal fft": lambda n: pyconvc.convolve(x, w, method="fft", workers=n),
        "nn direct": lambda n: nn.conv2d(*layer, method="direct", workers=n),
        "nn gemm": lambda n: nn.conv2d(*layer, method="gemm", workers=n),
        "nn fft": lambda n: nn.conv2d(*layer, method="fft", workers=n),
    }
"""


FFT, OTHERS = ["signal fft", "nn fft"], ["signal direct", "nn direct", "nn gemm"]


# OpenBLAS asks for the buffers of further threads again and again until there is memory for them.
MEMORY = ["signal direct", "nn direct"]


@pytest.mark.parametrize(
    ("kind", "name"), [*(("processes", n) for n in OTHERS + FFT), *(("memory", n) for n in MEMORY)]
)
def test_call_with_fewer_threads_than_asked_for(kind, name, tmp_path):
    code = (
        SETUP
        + f"""
    call = calls[{name!r}]
    want = call(1)
    limit({kind!r})
    for workers in (40, 3, 40):
        assert (call(workers) == want).all()
    print("done")
"""
    )
    assert run_python(code, tmp_path).strip() == "done"
