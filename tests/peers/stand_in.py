"""pytest plugin: functions of one module stand in for those of another while tests run.

    python -m pytest -p stand_in --place scipy.signal --source pyconvc.signal \
        --names convolve,correlate --pyargs scipy.signal.tests.test_signaltools

Names are replaced before the tests are imported, on the public module alone. Its private modules
keep their own functions: what a test gets from there is the other side of a comparison, and has to
stay independent of what is tested. Calls are counted; a run that never called a name fails.
"""

import functools
import importlib

import numpy as np
import pytest
from scipy._lib import _array_api


def pytest_addoption(parser):
    group = parser.getgroup("stand-in")
    group.addoption("--place", help="module whose functions are replaced")
    group.addoption("--source", help="module that the functions are taken from")
    group.addoption("--names", type=lambda names: names.split(","), help="a,b,c")
    group.addoption("--spoil", choices=SPOILED, help="make the results wrong in this way")


def pytest_configure(config):
    option = config.option
    stand_in = StandIn(option.names, SPOILED.get(option.spoil, _untouched))
    stand_in.enter(importlib.import_module(option.place), importlib.import_module(option.source))
    config.pluginmanager.register(stand_in)


class StandIn:
    """Replaces functions, counts their calls and the tests that made them."""

    def __init__(self, names, change):
        self.calls = dict.fromkeys(names, 0)
        self.change = change
        self.tests = 0

    def enter(self, place, source):
        for name in self.calls:
            theirs, ours = getattr(place, name), self._counted(name, getattr(source, name))
            # scipy's test helpers look a function's marks up in this table (scipy >= 1.16).
            table = getattr(_array_api, "xp_capabilities_table", {})
            if theirs in table:
                table[ours] = table[theirs]
            setattr(place, name, ours)

    def _counted(self, name, function):
        @functools.wraps(function)
        def counted(*args, **kwargs):
            self.calls[name] += 1
            return self.change(function(*args, **kwargs))

        return counted

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item):
        np.random.seed(0)  # many of scipy's tests draw from the global generator without a seed
        before = sum(self.calls.values())
        try:
            return (yield)
        finally:
            self.tests += sum(self.calls.values()) > before

    def pytest_sessionfinish(self, session):
        if not all(self.calls.values()) and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter):
        counts = ", ".join(f"{name} {count}" for name, count in self.calls.items())
        terminalreporter.write_line(f"stand-in reached by {self.tests} tests; calls: {counts}")


def _untouched(result):
    return result


def _fraction(result):
    """0.1 % too large where the result has a fraction; integers stay right."""
    inexact = np.issubdtype(np.asarray(result).dtype, np.inexact)
    return result * result.dtype.type(1.001) if inexact else result


def _count(result):
    """One too large."""
    return result + 1


def _word(result):
    """The other method than the one chosen."""
    return {"direct": "fft", "fft": "direct"}[result] if isinstance(result, str) else result


SPOILED = {"fraction": _fraction, "count": _count, "word": _word}
