"""Examples that people copy: docstrings, the documentation's pages, the README."""

import doctest
import importlib
import importlib.util
import pkgutil
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

import pyconvc

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted((ROOT / "docs").glob("*.rst"))
FLAGS = doctest.NORMALIZE_WHITESPACE


def modules():
    """Names of the package's modules that can be imported here, itself first."""
    yield "pyconvc"
    for found in pkgutil.walk_packages(pyconvc.__path__, "pyconvc."):
        if not found.name.endswith("__main__"):
            yield found.name


def blocks(language):
    """README's fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def commands():
    """Command lines with ``python -m pyconvc`` in README and documentation."""
    pattern = re.compile(r"^ *\$? *(python -m pyconvc .+)$", re.MULTILINE)
    texts = [README, *(page.read_text(encoding="utf-8") for page in PAGES)]
    return sorted({line for text in texts for line in pattern.findall(text)})


@pytest.mark.parametrize("name", list(modules()))
def test_docstring_examples(name):
    module = importlib.import_module(name)
    assert doctest.testmod(module, optionflags=FLAGS).failed == 0


def test_public_functions_have_examples():
    for name in pyconvc.signal.__all__:
        assert ">>>" in getattr(pyconvc.signal, name).__doc__, name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page_examples(page):
    assert doctest.testfile(str(page), module_relative=False, optionflags=FLAGS).failed == 0


def test_readme_python(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert blocks("python")
    namespace = {}
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), namespace)


@pytest.mark.parametrize("line", commands())
def test_commands_run(tmp_path, line):
    rng = np.random.default_rng(5)
    PIL.Image.fromarray(rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)).save(
        tmp_path / "photo.png"
    )
    np.save(tmp_path / "volume.npy", rng.standard_normal((8, 9, 10)))
    words = shlex.split(line, comments=True)
    subprocess.run([sys.executable, *words[1:]], cwd=tmp_path, check=True)


def test_make_targets_exist():
    named = set(re.findall(r"^ *make ([a-z-]+)", README, re.MULTILINE))
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {"demo", "test"} <= named <= targets


def test_ratio_table_is_rewritten_between_its_marks():
    path = ROOT / "benchmarks" / "readme_table.py"
    spec = importlib.util.spec_from_file_location("readme_table", path)
    table = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(table)
    lines = table.markdown(["case", "scipy"], [["a", "2.00"], ["b", "*0.50"]])
    assert lines == ["| case | scipy |", "| --- | ---: |", "| a | 2.00 |", "| b | **0.50** |"]
    once = table.replaced(README, "new\n")
    assert once.count("new\n") == 1
    assert table.replaced(once, "newer\n") == table.replaced(README, "newer\n")
    with pytest.raises(SystemExit, match="marks"):
        table.replaced("no marks here", "new\n")


def test_demo_begins():
    """Its kernels are there; the photograph is read later."""
    demo = runpy.run_path(str(ROOT / "demo" / "photo.py"), run_name="demo")
    assert demo["BLUR"].shape == (17, 17)
    np.testing.assert_allclose(demo["RIGHT"], demo["DOWN"].T)
