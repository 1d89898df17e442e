"""Tell the version, the instruction set, and the threads in use and what they come from."""

from __future__ import annotations

import argparse
import os
import platform

import numpy as np
import scipy

import pyconvc
from pyconvc import _threads
from pyconvc._cli.bench.machine import processor

HELP = "tell version, instruction set and threads"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No arguments."""


def run(arguments: argparse.Namespace) -> None:
    facts = {
        "pyconvc": f"{pyconvc.__version__}, {os.path.dirname(pyconvc.__file__)}",
        "Python": f"{platform.python_version()} on {platform.platform()}",
        "NumPy, SciPy": f"{np.__version__}, {scipy.__version__}",
        "processor": processor(),
        "instruction set": _isa(),
        "threads": _thread_count(),
        "BLAS of SciPy": _blas(),
    }
    for name, fact in facts.items():
        print(f"{name:16}{fact}")


def _isa() -> str:
    forced = os.environ.get("PYCONVC_ISA")
    why = f"PYCONVC_ISA={forced}" if forced else "the best available"
    return f"{pyconvc.isa()} ({why}); available: {', '.join(pyconvc.isa_available())}"


def _thread_count() -> str:
    limits = _threads.explain()
    in_use, default = limits.pop("in use"), limits.pop("default")
    known = ", ".join(f"{name} {limit:g}" for name, limit in limits.items() if limit is not None)
    changed = "" if in_use == default else f", default {default}"
    serial = "" if pyconvc.has_openmp() else "; built without OpenMP: all calls are serial"
    return f"{in_use}{changed} ({known}){serial}"


def _blas() -> str:
    blas = scipy.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return f"{blas['name']} {blas['version']}"
