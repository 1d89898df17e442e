"""How many threads a call may use: the limits, what overrides them, and threadpoolctl."""

import functools
import os
import textwrap

import numpy as np
import pytest
from isolated import run_python

import pyconvc
from pyconvc import _threads

linux = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs Linux")


@pytest.fixture(autouse=True)
def default_number():
    """Every test starts and leaves with the default."""
    pyconvc.set_num_threads(None)
    yield
    pyconvc.set_num_threads(None)


@pytest.fixture
def machine(monkeypatch):
    """Sets the limits that `default_threads` finds."""

    def set_limits(cpus, quota=None, **environment):
        monkeypatch.setattr(_threads, "_cpus", lambda: cpus)
        monkeypatch.setattr(_threads, "cpu_quota", functools.cache(lambda: quota))
        for name in ("OMP_NUM_THREADS", "OMP_THREAD_LIMIT", "PYCONVC_NUM_THREADS"):
            monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)

    return set_limits


@pytest.mark.parametrize(
    "cpus, quota, environment, expected",
    [
        (8, None, {}, 8),
        (8, 3.0, {}, 3),
        (8, 3.9, {}, 3),
        (8, 0.5, {}, 1),
        (2, 16.0, {}, 2),
        (8, None, {"OMP_NUM_THREADS": "4"}, 4),
        (8, None, {"OMP_NUM_THREADS": " 4 , 2,1"}, 4),
        (8, None, {"OMP_NUM_THREADS": "16"}, 8),
        (8, None, {"OMP_NUM_THREADS": "", "OMP_THREAD_LIMIT": "6"}, 6),
        (8, None, {"OMP_NUM_THREADS": "all"}, 8),
        (8, None, {"OMP_NUM_THREADS": "0", "OMP_THREAD_LIMIT": "-1"}, 8),
        (8, 2.0, {"OMP_NUM_THREADS": "3", "PYCONVC_NUM_THREADS": "5"}, 5),
        (2, None, {"PYCONVC_NUM_THREADS": "16"}, 16),
        (2, None, {"PYCONVC_NUM_THREADS": " "}, 2),
    ],
)
def test_default_is_the_least_limit(machine, cpus, quota, environment, expected):
    machine(cpus, quota, **environment)
    assert _threads.default_threads() == expected
    assert pyconvc.get_num_threads() == expected
    assert _threads.resolve() == expected


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", "2,1", "²"])
def test_bad_variable_is_named(machine, text):
    machine(2, PYCONVC_NUM_THREADS=text)
    with pytest.raises(ValueError, match="PYCONVC_NUM_THREADS must be a positive integer"):
        pyconvc.get_num_threads()
    with pytest.raises(ValueError, match="PYCONVC_NUM_THREADS"):
        pyconvc.convolve([1.0, 2.0], [1.0])


def test_set_and_reset(machine):
    machine(3)
    pyconvc.set_num_threads(np.int64(7))
    assert pyconvc.get_num_threads() == _threads.resolve() == 7
    pyconvc.set_num_threads(None)
    assert pyconvc.get_num_threads() == 3


def test_reset_reads_the_environment_anew(machine):
    machine(3)
    assert pyconvc.get_num_threads() == 3
    machine(3, OMP_NUM_THREADS="2")
    pyconvc.set_num_threads(None)
    assert pyconvc.get_num_threads() == 2


@pytest.mark.parametrize("workers", [1, 3, np.int8(3), np.uint64(3), np.int64(1)])
def test_resolve_takes_integers(workers):
    number = _threads.resolve(workers)
    assert number == workers
    assert type(number) is int


@pytest.mark.parametrize("minus_one", [-1, np.int16(-1)])
def test_minus_one_means_all_cpus(machine, minus_one):
    machine(6, 4.5, OMP_NUM_THREADS="1")
    assert _threads.resolve(minus_one) == 4


def test_huge_number_is_bounded():
    assert _threads.resolve(10**30) == _threads.MOST_THREADS


@pytest.mark.parametrize(
    "value, error",
    [(0, ValueError), (-2, ValueError), (True, TypeError), (2.0, TypeError), ("2", TypeError)],
)
def test_bad_numbers_are_named(value, error):
    with pytest.raises(error, match=r"^workers must be .*got "):
        _threads.resolve(value)
    with pytest.raises(error, match=r"^workers must be .*got "):
        pyconvc.convolve([1.0, 2.0], [1.0], workers=value)
    before = pyconvc.get_num_threads()
    with pytest.raises(error, match=r"^n must be .*got "):
        pyconvc.set_num_threads(value)
    assert pyconvc.get_num_threads() == before


def test_explain_lists_every_limit(machine):
    machine(8, 2.5, OMP_NUM_THREADS="4,1")
    pyconvc.set_num_threads(6)
    assert _threads.explain() == {
        "CPUs": 8,
        "cgroup quota": 2.5,
        "OMP_NUM_THREADS": 4,
        "OMP_THREAD_LIMIT": None,
        "PYCONVC_NUM_THREADS": None,
        "default": 2,
        "in use": 6,
    }


@linux
def test_affinity_counts(tmp_path):
    code = """
        import os
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        import pyconvc
        print(pyconvc.get_num_threads(), pyconvc._threads.resolve(-1))
    """
    assert run_python(code, tmp_path, PYCONVC_NUM_THREADS="").split() == ["1", "1"]


LIMITED = """
    def ours():
        return [info for info in threadpool_info() if info["internal_api"] == "pyconvc"]

    pyconvc.set_num_threads(3)
    assert len(ours()) == 1 and ours()[0]["num_threads"] == 3, threadpool_info()
    assert ours()[0]["version"] == pyconvc.__version__
    for limits in (1, {"openmp": 2}):
        with threadpool_limits(limits):
            print(pyconvc.get_num_threads())
    print(pyconvc.get_num_threads())
"""


@pytest.mark.parametrize(
    "imports",
    [
        "import pyconvc\nfrom threadpoolctl import *",
        "from threadpoolctl import *\nthreadpool_info()\nimport pyconvc",
    ],
    ids=["pyconvc first", "threadpoolctl first"],
)
def test_threadpoolctl_sees_and_limits_us(imports, tmp_path):
    pytest.importorskip("threadpoolctl")
    code = imports + "\n" + textwrap.dedent(LIMITED)
    assert run_python(code, tmp_path).split() == ["1", "2", "3"]


def test_threadpoolctl_is_not_needed(tmp_path):
    code = """
        import sys
        sys.modules["threadpoolctl"] = None
        import pyconvc
        print(pyconvc.convolve([1.0, 2.0], [1.0, 1.0]).tolist())
    """
    assert run_python(code, tmp_path).strip() == "[1.0, 3.0, 2.0]"
