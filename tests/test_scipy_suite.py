"""scipy's own tests, from the installed scipy, run against our functions (see peers/README.md).

A suite runs whole with all names replaced, then its judges of each name with that name alone: some
tests compare two of the functions with each other, and would not see an error that both share.
"""

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import scipy

PEERS = Path(__file__).with_name("peers")


@dataclass(frozen=True)
class Suite:
    """A test module of scipy and how it is used.

    place, source: the module whose functions are replaced, and ours, which replace them.
    judges: for each function, the tests that judge it when it is replaced alone.
    spoil: how a function's result is made wrong, where that is not by 0.1 %.
    left_out, left_out_alone: test -> the reason why no run has it, or no run of one name.
    """

    module: str
    place: str
    source: str
    judges: dict[str, list[str]]
    spoil: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    left_out_alone: dict[str, str] = field(default_factory=dict)

    def run_whole(self):
        return self.run(self.source, list(self.judges), [self.module], self.left_out)

    def run_judges(self, name, *options, source=None):
        tests = [f"{self.module}::{test}" for test in self.judges[name]]
        left_out = self.left_out | self.left_out_alone
        return self.run(source or self.source, [name], tests, left_out, *options)

    def run(self, source, names, tests, left_out, *options):
        path = self.module.replace(".", "/") + ".py"
        command = [sys.executable, "-m", "pytest", "-c", PEERS / "suite.ini"]
        command += ["--rootdir", Path(scipy.__file__).parents[1]]
        command += ["--place", self.place, "--source", source, "--names", ",".join(names)]
        command += [f"--deselect={path}::{test}" for test in left_out]
        command += [*options, "--pyargs", *tests]
        env = _environment()
        return subprocess.run(command, capture_output=True, text=True, timeout=600, env=env)


def _environment():
    """This process's environment without what would steer the inner pytest or scipy's backends."""
    unwanted = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "SCIPY_ARRAY_API")
    env = {key: value for key, value in os.environ.items() if key not in unwanted}
    path = os.pathsep.join(filter(None, [str(PEERS), env.get("PYTHONPATH")]))
    return env | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": path}


# Where mode "same" meets broadcasting beside the convolved axes, scipy 1.17 cuts the broadcast axes
# to those of in1 and so loses rows (scipy issue 21876); we keep them. Both sides ours: they agree.
CUT_ROWS = [
    "test_1d_axes[numpy-same-{}-3-1-",
    *(f"test_2d_axes[numpy-{{}}-3-1-{a}-{b}-{a}-{b}-same-" for a in (4, 6) for b in (47, 50)),
    *(f"test_2d_axes[numpy-{{}}-3-1-{b}-{a}-{b}-{a}-same-" for a in (4, 6) for b in (47, 50)),
]
CUT_ROWS = ["TestOAConvolve::" + test.format(kind) for test in CUT_ROWS for kind in (True, False)]

SIGNAL = Suite(
    module="scipy.signal.tests.test_signaltools",
    place="scipy.signal",
    source="pyconvc.signal",
    judges={
        "convolve": ["TestConvolve", "TestResample", "test_convolve_longdtype_input"],
        "correlate": ["TestCorrelateReal", "TestCorrelate", "TestCorrelateComplex"],
        "convolve2d": ["TestConvolve2d", "TestFFTConvolve"],
        "correlate2d": ["TestCorrelate2d", "TestConvolve2d"],
        "fftconvolve": [
            "TestFFTConvolve",
            "TestAllFreqConvolves",
            "TestOAConvolve::test_1d_noaxes",  # compare with scipy's oaconvolve
            "TestOAConvolve::test_1d_axes",
            "TestOAConvolve::test_2d_noaxes",
        ],
        "oaconvolve": ["TestOAConvolve", "TestAllFreqConvolves"],
        "choose_conv_method": ["test_choose_conv_method", "TestConvolve::test_convolve_method"],
        "correlation_lags": ["test_correlation_lags", "test_correlation_lags_invalid_mode"],
    },
    spoil={"choose_conv_method": "word", "correlation_lags": "count"},
    left_out_alone={
        "TestConvolve2d::test_large_array": "2 GB and 12 s in scipy; the whole run has it",
        **dict.fromkeys(CUT_ROWS, "scipy issue 21876"),
    },
)


def _filters(*names):
    return [f"TestNdimageFilters::test_{name}" for name in names]


SINGLE = "a result of 133, computed in float32, against scipy's in float64 to within 1.5e-6"
NDIMAGE = Suite(
    module="scipy.ndimage.tests.test_filters",
    place="scipy.ndimage",
    source="pyconvc.ndimage",
    judges={
        "correlate": _filters("correlate13", "correlate14", "correlate18", "correlate19"),
        "convolve": _filters(
            "correlate13", "correlate15", "correlate16", "correlate_convolve_axes"
        ),
        "correlate1d": _filters("correlate21", "correlate23", "correlate25", "correlate26"),
        "convolve1d": _filters("correlate20", "correlate22", "correlate24", "correlate26"),
        "uniform_filter": [*_filters("filter_axes", "uniform06"), "test_multiple_modes_uniform"],
        "uniform_filter1d": [
            *_filters("uniform01", "uniform01_complex"),
            "test_uniform_filter1d_roundoff_errors",
        ],
        "gaussian_filter": [*_filters("gauss03", "gauss06", "filter_axes"), "test_multiple_modes"],
        "gaussian_filter1d": ["test_multiple_modes_sequentially", "test_gaussian_radius"],
        "sobel": [*_filters("sobel01", "sobel02", "sobel03"), "test_multiple_modes_sobel"],
        "prewitt": [
            *_filters("prewitt01", "prewitt02", "prewitt03"),
            "test_multiple_modes_prewitt",
        ],
        "laplace": [*_filters("laplace01", "laplace02"), "test_multiple_modes_laplace"],
        "gaussian_laplace": [
            *_filters("gaussian_laplace01", "gaussian_laplace02", "derivative_filter_axes"),
            "test_multiple_modes_gaussian_laplace",
        ],
        "gaussian_gradient_magnitude": [
            *_filters("gaussian_gradient_magnitude01", "gaussian_gradient_magnitude02"),
            "test_multiple_modes_gaussian_gradient_magnitude",
        ],
    },
    left_out_alone={
        f"TestNdimageFilters::test_gaussian_laplace0{i}[numpy-{dtype}]": SINGLE
        for i in (1, 2)
        for dtype in ("float32", "complex64")
    },
)
SUITES = [SIGNAL, NDIMAGE]
ONE_BY_ONE = [pytest.param(suite, name, id=name) for suite in SUITES for name in suite.judges]


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.place)
def test_all_names_together(suite):
    result = suite.run_whole()
    assert result.returncode == pytest.ExitCode.OK, _tail(result)


@pytest.mark.parametrize("suite, name", ONE_BY_ONE)
def test_one_name_alone(suite, name):
    result = suite.run_judges(name)
    assert result.returncode == pytest.ExitCode.OK, _tail(result)


@pytest.mark.parametrize("suite, name", ONE_BY_ONE)
def test_small_error_is_seen(suite, name):
    """scipy's own function, spoiled, put in its own place: the set-up has to notice."""
    spoil = suite.spoil.get(name, "fraction")
    result = suite.run_judges(name, "-x", "--spoil", spoil, source=suite.place)
    assert result.returncode == pytest.ExitCode.TESTS_FAILED, _tail(result)
    assert "AssertionError" in result.stdout and f"{name} 0" not in result.stdout, _tail(result)


def test_run_that_never_reaches_us_fails():
    result = SIGNAL.run(SIGNAL.place, ["fftconvolve"], [f"{SIGNAL.module}::TestMedFilt"], {})
    assert result.returncode == pytest.ExitCode.TESTS_FAILED, _tail(result)
    assert "passed" in result.stdout and "fftconvolve 0" in result.stdout, _tail(result)


def _tail(result):
    return result.stdout[-6000:] + result.stderr[-2000:]
