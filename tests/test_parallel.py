"""Calls with threads, among threads, after forks and under Ctrl-C; the floating-point mode."""

import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from cases import COMPLEXES, DTYPES, FLOATS, values
from isolated import run_python

import pyconvc

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
posix = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

# Large enough that several threads take part.
SHAPES = [((150_001,), (65,)), ((301, 517), (9, 8)), ((23, 61, 97), (3, 5, 4))]


@pytest.fixture(scope="module")
def long_call():
    """A call of the direct method that copies nothing and lasts long enough to be watched."""
    x, w = np.ones((1200, 1200)), np.arange(900.0).reshape(30, 30)
    return lambda workers: pyconvc.convolve(x, w, "valid", method="direct", workers=workers)


# ---- the same bits


@pytest.mark.parametrize("shapes", SHAPES, ids=["1d", "2d", "3d"])
@pytest.mark.parametrize(
    ("method", "dtype"),
    [
        *(("fft", dtype) for dtype in FLOATS + COMPLEXES),
        *(("direct", dtype) for dtype in DTYPES),
    ],
    ids=str,
)
def test_same_bits_for_any_number_of_workers(shapes, method, dtype):
    rng = np.random.default_rng(1)
    x, w = (values(rng, shape, dtype) for shape in shapes)
    one = pyconvc.convolve(x, w, "same", method=method, workers=1)
    for workers in (2, 3, 5):
        assert_same_bits(pyconvc.convolve(x, w, "same", method=method, workers=workers), one)


@pytest.mark.parametrize("boundary", ["symm", "wrap"])
@pytest.mark.parametrize("shapes", SHAPES, ids=["1d", "2d", "3d"])
def test_same_bits_with_a_boundary(shapes, boundary):
    rng = np.random.default_rng(2)
    x, w = (values(rng, shape, "float32") for shape in shapes)
    one = pyconvc.correlate(x, w, "same", boundary=boundary, workers=1)
    for workers in (2, 3, 5):
        assert_same_bits(pyconvc.correlate(x, w, "same", boundary=boundary, workers=workers), one)


@pytest.mark.parametrize("name", ["convolve", "convolve2d", "fftconvolve", "oaconvolve"])
def test_same_bits_of_every_function(name):
    """With a kernel of rank 1, which may go through the separable method."""
    rng = np.random.default_rng(3)
    x, w = values(rng, (401, 503), "float64"), np.outer(np.hanning(13), np.hamming(11))
    function = getattr(pyconvc.signal, name)
    one = function(x, w, workers=1)
    for workers in (2, 3, 5):
        assert_same_bits(function(x, w, workers=workers), one)


def assert_same_bits(a, b):
    assert a.dtype == b.dtype
    assert a.shape == b.shape
    assert a.tobytes() == b.tobytes()


# ---- how many threads work


@linux
def test_threads_are_started_for_large_work_only(tmp_path):
    code = """
        import os
        import numpy as np
        import pyconvc

        def started(size, workers):
            before = len(os.listdir("/proc/self/task"))
            x, w = np.ones((size, size)), np.ones((9, 9))
            pyconvc.convolve(x, w, method="direct", workers=workers)
            return len(os.listdir("/proc/self/task")) - before

        pyconvc.set_num_threads(1)
        print(started(20, 3), started(900, 1), started(900, None), started(900, 3))
    """
    expected = [0, 0, 0, 2] if pyconvc.has_openmp() else [0, 0, 0, 0]
    assert [int(n) for n in run_python(code, tmp_path).split()] == expected


# ---- threads beside ours

# Of a busy machine a call may get all, and a thread beside it nothing: then there is another call.
MOST_CALLS = 100


@pytest.mark.parametrize("workers", [1, 2])
def test_other_threads_run_during_a_call(long_call, workers, no_forced_switches):
    """Python's lock is free: a thread that asks for it again and again gets it many times."""
    ticks, stop = 0, threading.Event()

    def tick():
        nonlocal ticks
        while not stop.is_set():
            ticks += 1
            time.sleep(0)

    ticker = threading.Thread(target=tick)
    ticker.start()
    during = calls = 0
    while during <= 100 and calls < MOST_CALLS:
        before = ticks
        long_call(workers)
        during += ticks - before
        calls += 1
    stop.set()
    ticker.join()
    assert during > 100


@pytest.fixture
def no_forced_switches():
    """A thread keeps Python's lock until it gives it away."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    yield
    sys.setswitchinterval(interval)


def test_two_calls_overlap(long_call, no_forced_switches):
    """Short calls begin and end while a long one is under way in another thread."""
    under_way, enough, done = None, threading.Event(), threading.Event()

    def work():
        nonlocal under_way
        for call in range(MOST_CALLS):
            under_way = call
            long_call(1)
            if enough.is_set():
                break
        under_way = None
        done.set()

    thread = threading.Thread(target=work)
    thread.start()
    finished = 0
    while not done.is_set():
        begun_beside = under_way
        assert pyconvc.convolve([1.0, 2.0], [1.0, 1.0]).tolist() == [1, 3, 2]
        finished += begun_beside is not None and begun_beside == under_way
        if finished > 10:
            enough.set()
        time.sleep(0)
    thread.join()
    assert finished > 10


def test_many_threads_at_once():
    """Calls of all sizes from a pool of Python threads, each with threads of its own."""
    rng = np.random.default_rng(4)
    jobs = []
    for i in range(48):
        shape, taps = SHAPES[i % 3]
        x = values(rng, [n // (1 + i % 5) for n in shape], ["float32", "float64", "int32"][i % 3])
        jobs.append((x, values(rng, taps, x.dtype), [None, 1, 3][i % 3]))

    def call(job):
        x, w, workers = job
        return pyconvc.convolve(x, w, method="direct", workers=workers)

    expected = [pyconvc.convolve(x, w, method="direct", workers=1) for x, w, _ in jobs]
    with ThreadPoolExecutor(8) as pool:
        for result, reference in zip(pool.map(call, jobs), expected, strict=True):
            assert_same_bits(result, reference)


# ---- forks


@posix
def test_fork_after_threads(tmp_path):
    """GNU's OpenMP hangs in a child whose parent used it; the child has to compute all the same."""
    code = """
        import os
        import numpy as np
        import pyconvc

        def compute():
            x, w = np.ones((300, 400)), np.ones((15, 14))
            y = pyconvc.convolve(x, w, "valid", method="direct", workers=2)
            assert (y == 210).all()

        for round in range(3):
            compute()
            child = os.fork()
            if child == 0:
                compute()
                os._exit(0)
            compute()
            assert os.waitpid(child, 0)[1] == 0
        print("done")
    """
    assert run_python(code, tmp_path, PYTHONWARNINGS="ignore").strip() == "done"


@posix
@pytest.mark.parametrize("method", ["gemm", "fft"])
def test_fork_after_layers(method, tmp_path):
    """Threads of BLAS and of scipy.fft, too, were left behind in the parent."""
    code = f"""
        import os
        import numpy as np
        from pyconvc import nn

        x, w = np.ones((2, 16, 60, 60)), np.ones((16, 16, 3, 3))
        a = np.ones((500, 500))

        def compute():
            y = nn.conv2d(x, w, method={method!r}, workers=2)
            assert np.allclose(y, 144)
            assert (a @ a == 500).all()

        for round in range(3):
            compute()
            child = os.fork()
            if child == 0:
                compute()
                os._exit(0)
            compute()
            assert os.waitpid(child, 0)[1] == 0
        print("done")
    """
    assert run_python(code, tmp_path, PYTHONWARNINGS="ignore").strip() == "done"


@posix
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_processes_after_threads(method, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(PROCESSES)
    code = f"import runpy; runpy.run_path({str(script)!r}, run_name='__main__')"
    code = f"import sys; sys.argv = ['script.py', {method!r}]; " + code
    assert run_python(code, tmp_path, PYTHONWARNINGS="ignore").strip() == "done"


PROCESSES = """
import multiprocessing
import sys

import numpy as np

import pyconvc


def total(n):
    x, w = np.full((300, 400), n, float), np.ones((15, 14))
    return pyconvc.convolve(x, w, "valid", method="direct", workers=2)[0, 0]


if __name__ == "__main__":
    assert total(1) == 210
    with multiprocessing.get_context(sys.argv[1]).Pool(2) as pool:
        assert pool.map(total, range(6)) == [210 * n for n in range(6)]
    assert total(2) == 420
    print("done")
"""


# ---- Ctrl-C


@posix
@pytest.mark.parametrize(
    ("x", "w"),
    [("(4_000_000,)", "(4_000_000,)"), ("(2000, 2000)", "(2000, 2000)")],
    ids=["1d", "2d"],
)
def test_interrupt_ends_a_call(x, w, tmp_path):
    """The call would take many times as long as `run_python` waits."""
    code = f"""
        import os, signal, threading, time
        import numpy as np
        import pyconvc
        x, w = np.ones({x}, complex), np.ones({w}, complex)

        def interrupt():
            time.sleep(0.3)
            os.kill(os.getpid(), signal.SIGINT)

        # A shell may have started the tests in the background, where the signal is ignored.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            threading.Thread(target=interrupt).start()
            pyconvc.convolve(x, w, method="direct", workers=2)
        except KeyboardInterrupt:
            print(pyconvc.convolve([1.0, 2.0], [1.0, 1.0]).tolist())
    """
    assert run_python(code, tmp_path).strip() == "[1.0, 3.0, 2.0]"


# ---- subnormal numbers

TINY = 1e-310  # below the least normal double


@pytest.mark.parametrize("workers", [1, 2])
def test_flush_denormals_in_every_worker(workers):
    x = np.full((400, 500), TINY)
    w = np.outer([1.0, 2.0, 1.0, 1.0, 3.0, 1.0, 4.0], [1.0, 1.0, 2.0, 1.0, 5.0, 1.0, 1.0])
    w[0, 0] = 2  # not separable

    def call():
        return pyconvc.convolve(x, w, "valid", method="direct", workers=workers)

    assert (call() > 0).all()
    with pyconvc.flush_denormals():
        assert (call() == 0).all()
        with pyconvc.flush_denormals():
            assert (call() == 0).all()
        assert (call() == 0).all()
    assert (call() > 0).all()


def test_flush_denormals_is_undone_after_an_error():
    with pytest.raises(ZeroDivisionError), pyconvc.flush_denormals():
        raise ZeroDivisionError
    assert (pyconvc.convolve([TINY], [1.0], method="direct") == TINY).all()


def test_numpy_keeps_subnormal_numbers_after_a_call():
    with pyconvc.flush_denormals():
        pyconvc.convolve(np.ones((300, 400)), np.ones((9, 9)), method="direct")
    assert np.full(1000, TINY).sum() > 0
    assert np.float64(TINY) * np.float64(0.5) > 0
