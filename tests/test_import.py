"""What `import pyconvc` brings along, and what it leaves for later."""

import pytest
from isolated import run_python

import pyconvc

HEAVY = ["scipy", "matplotlib", "dask", "torch", "PIL", "rich", "cv2"]
SUBMODULES = ["arithmetic", "reference", "signal"]
SIGNAL_NAMES = [
    "convolve",
    "correlate",
    "convolve2d",
    "correlate2d",
    "fftconvolve",
    "oaconvolve",
    "choose_conv_method",
    "correlation_lags",
    "convolve1d",
    "choose",
]


def test_import_is_light(tmp_path):
    code = f"""
        import sys
        import pyconvc
        print([name for name in {HEAVY!r} if name in sys.modules])
    """
    assert run_python(code, tmp_path).strip() == "[]"


def test_direct_method_needs_no_scipy(tmp_path):
    code = """
        import sys
        import numpy as np
        import pyconvc
        y = pyconvc.convolve(np.ones(5), np.ones(3), method="direct")
        assert y.tolist() == [1, 2, 3, 3, 3, 2, 1]
        print("scipy" in sys.modules)
    """
    assert run_python(code, tmp_path).strip() == "False"


@pytest.mark.parametrize("name", SUBMODULES)
def test_submodule_is_reached_by_attribute(name, tmp_path):
    code = f"""
        import pyconvc
        assert pyconvc.{name}.__name__ == "pyconvc.{name}"
        assert {name!r} in dir(pyconvc)
    """
    run_python(code, tmp_path)


@pytest.mark.parametrize("name", SIGNAL_NAMES)
def test_signal_names_are_there_at_the_top(name):
    assert getattr(pyconvc, name) is getattr(pyconvc.signal, name)
    assert name in pyconvc.__all__
    assert name in dir(pyconvc)


@pytest.mark.parametrize("module", [pyconvc, pyconvc.signal], ids=lambda module: module.__name__)
def test_all_names_exist_once(module):
    assert len(set(module.__all__)) == len(module.__all__)
    assert all(hasattr(module, name) for name in module.__all__)
    assert set(module.__all__) <= set(dir(module))


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_name"):
        pyconvc.no_such_name  # noqa: B018


def test_version_is_that_of_the_distribution():
    from importlib.metadata import version

    assert pyconvc.__version__ == version("pyconvc")
