"""Memory beside inputs and outputs, and calls for which there is none, in their own processes."""

import sys

import pytest
from isolated import run_python

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="asks and limits as Linux does")

MIB = 1 << 20
PER_WORKER = 16 * MIB

# VmHWM is the most that was resident at once; a 5 in clear_refs starts it anew. (ru_maxrss, unlike
# it, begins with what the parent process had.)
MEASURE = """
import numpy as np
import pyconvc
import pyconvc._fft, pyconvc.ndimage  # large, and else loaded when first used

def resident(field):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith(field))

def peak_of(call):
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")
    before = resident("VmRSS")
    call()
    return resident("VmHWM") - before

def ones(*shape):
    return np.full(shape, 1.0)

def prepared(n):
    {arrays}
    return lambda: pyconvc.{call}

prepared({small})()  # loads what is loaded when first used
print(peak_of(prepared({large})))
"""


def peak(directory, arrays, call, small, large):
    """Bytes that a call takes at once beside its arrays, whose size `n` is large in it.

    The result is among the arrays, as out=, so that it is not counted.
    """
    code = MEASURE.format(arrays=arrays, call=call, small=small, large=large)
    return int(run_python(code, directory))


PLANES = {
    "plain": "x, w, y = ones(n, n), ones(31, 31), ones(n, n)",
    "transposed input": "x, w, y = ones(n, n).T, ones(31, 31), ones(n, n)",
    "reversed output": "x, w, y = ones(n, n), ones(31, 31), ones(n, n)[:, ::-1]",
}


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("boundary", ["fill", "symm"])
@pytest.mark.parametrize("method", ["direct", "separable", "fft"])
def test_planes(method, boundary, workers, tmp_path):
    call = f"convolve(x, w, 'same', {method!r}, boundary={boundary!r}, workers={workers}, out=y)"
    assert peak(tmp_path, PLANES["plain"], call, 64, 2048) < workers * PER_WORKER


@pytest.mark.parametrize("method", ["direct", "separable"])
@pytest.mark.parametrize("arrays", PLANES)
def test_planes_in_any_layout(arrays, method, tmp_path):
    call = f"convolve(x, w, 'same', {method!r}, boundary='symm', workers=1, out=y)"
    assert peak(tmp_path, PLANES[arrays], call, 64, 2048) < PER_WORKER


@pytest.mark.parametrize(
    "call",
    [
        "ndimage.gaussian_filter(x, 5, output=y, nan_policy='omit', workers=1)",
        "ndimage.gaussian_filter(x, 5, [1, 0], output=y, nan_policy='omit', workers=1)",
        "convolve(x, ones(31, 31), 'same', 'separable', nan_policy='omit', workers=1, out=y)",
        "convolve(x, ones(9, 9), 'same', 'direct', nan_policy='omit', workers=1, out=y)",
    ],
    ids=["gaussian", "derivative", "separable", "direct"],
)
def test_missing_samples(call, tmp_path):
    arrays = "x, y = ones(n, n), ones(n, n); x[::7, ::5] = np.nan"
    assert peak(tmp_path, arrays, call, 64, 2048) < PER_WORKER


@pytest.mark.parametrize("method", ["direct", "fft"])
def test_lines(method, tmp_path):
    arrays = "x, w, y = ones(n), ones(4095), ones(n)"
    call = f"convolve(x, w, 'same', {method!r}, boundary='wrap', workers=1, out=y)"
    assert peak(tmp_path, arrays, call, 5000, 1 << 22) < PER_WORKER


@pytest.mark.parametrize("method", ["direct", "separable"])
@pytest.mark.parametrize(
    ("shape", "taps", "large"),
    [("n, n, n", "7, 7, 7", 160), ("4 * n, n, 40 * n, 40 * n", "3, 3, 3, 3", 4)],
    ids=["volumes", "rank 4"],
)
def test_higher_ranks(shape, taps, large, method, tmp_path):
    arrays = f"x, w, y = ones({shape}), ones({taps}), ones({shape})"
    call = f"convolve(x, w, 'same', {method!r}, boundary='mirror', workers=1, out=y)"
    assert peak(tmp_path, arrays, call, 1, large) < PER_WORKER


def test_volumes_of_large_planes(tmp_path):
    """Too large for a band of whole planes."""
    arrays = "x, w, y = ones(40, 20 * n, 20 * n), ones(7, 7, 7), ones(40, 20 * n, 20 * n)"
    call = "convolve(x, w, 'same', 'separable', boundary='wrap', workers=1, out=y)"
    assert peak(tmp_path, arrays, call, 1, 50) < PER_WORKER


@pytest.mark.parametrize(
    ("shape", "taps"),
    [("n, n", "31, 31"), ("n, n", "1, 1023"), ("n, n", "1023, 1"), ("4 * n * n,", "9001,")],
)
@pytest.mark.parametrize("dtype", ["float64", "complex64"])
def test_choosing(shape, taps, dtype, tmp_path):
    """The values are looked at in blocks."""
    arrays = f"x, w = ones({shape}).view('{dtype}'), ones({taps}).astype('{dtype}'); w.flat[0] = 2"
    call = "signal.choose(x, w)"
    assert peak(tmp_path, arrays, call, 512, 2048) < PER_WORKER // 2


@pytest.mark.parametrize(
    ("shape", "taps", "axis"),
    [("n, 25 * n", "31", -1), ("n, 25 * n", "n, 31", -1), ("25 * n, n", "31, n", 0)],
)
def test_rows(shape, taps, axis, tmp_path):
    """One filter for all rows, one for each."""
    arrays = f"x, w, y = ones({shape}), ones({taps}), ones({shape})"
    call = f"convolve1d(x, w, {axis}, 'same', workers=1, out=y)"
    assert peak(tmp_path, arrays, call, 10, 400) < PER_WORKER


@pytest.mark.parametrize(
    "filter", ["gaussian_filter(x, 2.0", "gaussian_filter(x, 40.0", "uniform_filter(x, 301"]
)
@pytest.mark.parametrize(
    ("shape", "large"),
    [("n, n, n", 180), ("n // 4, 8 * n, 8 * n", 80), ("16 * n, 16 * n", 160)],
    ids=["volumes", "large planes", "planes"],
)
def test_filters_along_axes(shape, large, filter, tmp_path):
    """Results of one axis lie in the output until the next."""
    arrays = f"x, y = (ones({shape}).astype('float32') for _ in range(2))"
    call = f"ndimage.{filter}, output=y, workers=1)"
    assert peak(tmp_path, arrays, call, 8, large) < PER_WORKER


# ---- no memory

LIMITED = """
import resource
import numpy as np
import pyconvc

def address_space():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * resource.getpagesize()

def with_little_memory(extra, call):
    "What the call gives where so many bytes can still be had."
    resource.setrlimit(resource.RLIMIT_AS, (address_space() + extra, resource.RLIM_INFINITY))
    try:
        return call()
    except MemoryError:
        return None
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
"""


@pytest.mark.parametrize("method", ["direct", "separable", "fft"])
@pytest.mark.parametrize("shape", ["4_000_000,", "2000, 2000", "150, 160, 170"])
def test_without_memory_for_the_result(shape, method, tmp_path):
    """An error, and the next call is as good as ever."""
    code = f"""{LIMITED}
x = np.ones(({shape}))
w = np.ones((3,) * x.ndim)
def call(a=x):
    return pyconvc.convolve(a, w, method={method!r}, workers=1)
corner = (slice(20),) * x.ndim
call(x[corner])
assert with_little_memory(x.nbytes // 2, call) is None
assert np.allclose(call(x[corner])[corner], call()[corner])
print("done")
"""
    assert run_python(code, tmp_path).strip() == "done"


@pytest.mark.parametrize("call", ["choose", "choose_conv_method"])
def test_choosing_without_memory_for_the_result(call, tmp_path):
    code = f"""{LIMITED}
x, w = np.ones(4_000_000), np.arange(1.0, 4001.0)
def call(a=x):
    return pyconvc.signal.{call}(a, w)
first = call()
assert with_little_memory(x.nbytes // 2, call) == first
print("done")
"""
    assert run_python(code, tmp_path).strip() == "done"


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("method", ["direct", "separable"])
def test_with_too_little_memory_to_compute(method, workers, tmp_path):
    """Scratch, packed weights, intermediates: the right result or an error, whatever is missing."""
    code = f"""{LIMITED}
x, w, y = np.ones((1500, 1500)), np.ones((31, 31)), np.empty((1500, 1500))
def call(w=w):
    return pyconvc.convolve(x, w, "same", {method!r}, boundary="wrap", workers={workers}, out=y)
call()  # threads are there from now on
for extra in (0, 1 << 12, 1 << 16, 1 << 18, 1 << 20, 1 << 22, 1 << 24, 1 << 26):
    y[...] = 0
    result = with_little_memory(extra, call)
    assert result is None or (result == 961).all()
assert (call() == 961).all()
# Little scratch may fit into what the heap has left, taps packed from so large a kernel do not.
wide = np.broadcast_to(1.0, (20_000, 20_000))
assert with_little_memory(1 << 24, lambda: call(wide)) is None
print("done")
"""
    assert run_python(code, tmp_path).strip() == "done"
