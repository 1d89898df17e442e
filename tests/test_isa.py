"""Tiers of instructions: each one forced in a process of its own, and how PYCONVC_ISA is obeyed."""

import os
import platform
from pathlib import Path

import pytest
from isolated import run_python

import pyconvc

HERE = Path(__file__).parent
X86 = platform.machine() in ("x86_64", "AMD64")


def run_tier(tier, code, directory):
    """What `code` prints in a process with that PYCONVC_ISA."""
    return run_python(code, directory, PYCONVC_ISA=tier).strip()


@pytest.mark.parametrize("tier", pyconvc.isa_available())
def test_tier_against_the_reference(tier, tmp_path):
    code = f"import sys; sys.path.insert(0, {str(HERE)!r}); import isa_sweep; isa_sweep.main()"
    computed_by, calls = run_tier(tier, code, tmp_path).split()
    assert computed_by == tier
    assert int(calls) > 1000


def test_this_process_runs_the_tier_that_it_was_told():
    asked = os.environ.get("PYCONVC_ISA")
    assert pyconvc.isa() in ([asked] if asked else pyconvc.isa_available())


def test_tiers_of_this_machine():
    tiers = pyconvc.isa_available()
    assert tiers[0] == "scalar"
    assert len(set(tiers)) == len(tiers)
    if X86:
        assert tiers[1] == "sse2"


@pytest.mark.skipif(not X86 or not Path("/proc/cpuinfo").exists(), reason="reads Linux's flags")
def test_tiers_are_those_that_the_processor_has():
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    flags = next(line for line in lines if line.startswith("flags")).split()
    wide = {"avx512f", "avx512bw", "avx512dq", "avx512vl", "fma"}
    needed = {"avx2": {"avx2", "fma"}, "avx512vl": wide, "avx512": wide}
    for tier, features in needed.items():
        assert (tier in pyconvc.isa_available()) == features.issubset(flags)


def test_tier_stays_the_one_of_the_first_use(tmp_path):
    code = """
        import os
        import pyconvc
        first = pyconvc.isa()
        os.environ["PYCONVC_ISA"] = "none"
        assert pyconvc.isa() == first
        print(first, pyconvc.convolve([1.0, 2.0], [3.0]).tolist())
    """
    assert run_tier("scalar", code, tmp_path) == "scalar [3.0, 6.0]"


def test_empty_variable_is_none(tmp_path):
    code = "import pyconvc; print(pyconvc.isa() in pyconvc.isa_available()[1:])"
    assert run_tier("", code, tmp_path) == str(len(pyconvc.isa_available()) > 1)


OF_OTHERS = "neon" if X86 else "avx2"  # a tier that only other machines have


@pytest.mark.parametrize("tier", ["mmx", "AVX2", "avx2 ", "scalar,sse2", OF_OTHERS])
def test_tier_that_is_not_there(tier, tmp_path):
    """An error that names the variable, its value and the choice, from whatever needs the tier."""
    code = """
        import numpy as np
        import pyconvc

        x = np.ones((30, 40))
        for call in (
            pyconvc.isa,
            lambda: pyconvc.convolve(x, x),
            lambda: pyconvc.convolve([1, 2], [3]),
            lambda: pyconvc.correlate2d(x, x[:3], boundary="wrap"),
        ):
            try:
                call()
            except RuntimeError as error:
                print(error)
        print(*pyconvc.isa_available())
    """
    *errors, tiers = run_tier(tier, code, tmp_path).splitlines()
    assert len(errors) == 4
    assert tiers.split() == list(pyconvc.isa_available())
    for error in errors:
        assert f"PYCONVC_ISA={tier!r}" in error
        assert ", ".join(pyconvc.isa_available()) in error
