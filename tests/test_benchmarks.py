"""The commands in benchmarks/ and the figures on speed: they run, on little work."""

import csv
import importlib
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from pyconvc import _choose
from pyconvc._cli.bench.conv import ConvCase
from pyconvc._cli.bench.measure import Row
from pyconvc._cli.bench.signal import SignalCase
from pyconvc.nn import _geometry

ROOT = Path(__file__).parents[1]
FIGURES = ("roofline", "images", "channels", "taps", "workers")
needs_compiler = pytest.mark.skipif(not shutil.which("cc"), reason="asks a C compiler for limits")


@pytest.fixture
def command(monkeypatch):
    """Import a module of benchmarks/, and run its main with arguments."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")

    def run(name, *arguments):
        module = importlib.import_module(name)
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        module.main()

    return run


def load(monkeypatch, name):
    """A module of benchmarks/."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return importlib.import_module(name)


def table(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@needs_compiler
def test_performance_writes_what_the_figures_show(command, tmp_path, monkeypatch):
    command("performance", "--quick", "--output", tmp_path)
    checked_in = {path.name for path in (ROOT / "docs" / "performance").glob("*.csv")}
    assert {path.name for path in tmp_path.iterdir()} == checked_in
    for name in checked_in:
        here, there = (path / name for path in (tmp_path, ROOT / "docs" / "performance"))
        assert name == "losses.csv" or table(here)[0].keys() == table(there)[0].keys()
    assert {row["sweep"] for row in table(tmp_path / "sweeps.csv")} == set(FIGURES[1:])
    assert all(float(row["rate"]) > 0 for row in table(tmp_path / "limits.csv"))
    draw(monkeypatch, tmp_path)


def test_figures_of_the_tables_checked_in(monkeypatch):
    draw(monkeypatch, ROOT / "docs" / "performance")


def draw(monkeypatch, place):
    """Every figure has something on it."""
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    monkeypatch.syspath_prepend(ROOT / "docs" / "figures")
    monkeypatch.delitem(sys.modules, "performance", raising=False)
    figures = importlib.import_module("performance")
    monkeypatch.delitem(sys.modules, "performance")
    monkeypatch.setattr(figures, "TABLES", place)
    for name in FIGURES:
        getattr(figures, name)()
        axes = plt.gcf().axes[0]
        assert axes.lines or axes.collections, name
        plt.gcf().canvas.draw()
        plt.close()


def test_losses_and_families(monkeypatch):
    performance = load(monkeypatch, "performance")
    rows = [
        Row("signal", "won", {"pyconvc": 1.0, "scipy": 4.0}, 0, True),
        Row("signal", "lost", {"pyconvc": 2.0, "scipy": 9.0, "opencv": 1.0}, 0, True),
        Row("signal", "wrong", {"pyconvc": 1.0, "scipy": 2.0}, 0.5, False, "scipy"),
        Row("pool", "alone", {"pyconvc": 1.0}, 0, True),
    ]
    _, lost = performance.losses(rows)
    assert [line[1] for line in lost] == ["lost", "wrong"]
    assert lost[0][2:] == ("2e+03", "1e+03", "opencv", "0.50")
    assert lost[1][-1] == "WRONG 5e-01 (scipy)"
    assert performance.by_family(rows)[1] == [("signal", 3, "1.59", 1, "0.50")]


def test_filters(monkeypatch, command, capsys):
    filters = load(monkeypatch, "filters")
    for case in filters.cases():
        case.shape = tuple(min(n, 40) for n in case.shape)
        calls = case.calls(None)
        got, want = calls["pyconvc"](), calls["scipy"]()
        assert got.dtype == want.dtype, case.name
        tolerance = 0 if want.dtype.kind in "iu" else 1e-4 * np.abs(want).max()
        np.testing.assert_allclose(got, want, rtol=0, atol=tolerance, err_msg=case.name)
    command("filters", "--only", "sobel 64", "--seconds", 0)
    assert "sobel 64^2 uint8" in capsys.readouterr().out


def test_regret(command, tmp_path, capsys):
    rows = [
        {"family": "conv", "name": "layer", "x": [1, 16, 20, 20], "w": [16, 16, 3, 3]},
        {"family": "conv", "name": "kept", "x": [1, 4, 9, 9], "w": [4, 4, 3, 3], "plan": True},
        {"family": "conv", "name": "back", "x": [1, 4, 9], "w": [4, 4, 3], "op": "input_grad"},
        {"family": "conv", "name": "taps", "x": [1, 4, 9], "w": [4, 4, 3], "op": "weight_grad"},
        {"family": "signal", "name": "line", "x": [900], "h": [50]},
        {"family": "pool", "name": "most", "x": [1, 2, 8, 8], "kernel": 2},
    ]
    (tmp_path / "cases.json").write_text(json.dumps(rows))
    command("regret", tmp_path / "cases.json", "--random", 1, "--seconds", 0)
    shown = capsys.readouterr().out
    for name in ("conv layer", "conv kept", "conv back", "signal line"):
        assert name in shown
    assert "conv taps" not in shown  # one method
    assert "most" not in shown


@pytest.mark.parametrize(
    "case",
    [
        ConvCase("layer", (1, 5, 12, 11), (6, 5, 3, 3), padding=1),
        ConvCase("layer", (1, 5, 12, 11), (6, 5, 3, 3), padding=1, plan=True),
        ConvCase("back", (1, 5, 12, 11), (6, 5, 3, 3), "input_grad", padding=1),
        ConvCase("transposed", (1, 6, 12, 11), (6, 5, 3, 3), "transposed"),
        SignalCase("filter", (40, 50), (5, 7)),
        SignalCase("separable", (40, 50), (5, 7), separable=True),
        SignalCase("filter", (40, 50), (1, 7), "float64", "correlate2d", boundary="wrap"),
    ],
    ids=lambda case: f"{case.family} {case.name}",
)
def test_regret_compares_methods_of_the_same_result(monkeypatch, case):
    chosen, calls = load(monkeypatch, "regret").alternatives(case)
    assert chosen in calls
    assert len(calls) > 1
    results = []
    for call in calls.values():
        result = call()
        results.append(call.args[-1].copy() if result is None else result)
    for result in results[1:]:
        np.testing.assert_allclose(result, results[0], rtol=1e-3, atol=1e-3)


def test_random_shapes_are_the_same_again(monkeypatch):
    shapes = load(monkeypatch, "shapes")
    for make in (shapes.layers, shapes.signals):
        some = list(make(20, 7))
        assert some == list(make(20, 7))
        assert some[0] != next(make(1, 8))
        assert all(case.flops > 0 for case in some)


def test_networks(command, monkeypatch, capsys):
    networks = load(monkeypatch, "networks")
    cases = networks.cases()
    assert len({case.name for case in cases}) == len(cases)
    assert all(case.flops > 0 < case.bytes for case in cases)
    command("networks", "--only", "MobileNetV3 1x1 160", "--seconds", 0)
    assert "1x1 160-960 @7" in capsys.readouterr().out


@needs_compiler
@pytest.mark.parametrize("name", ["threads", "overhead", "channels-last", "first", "changing"])
def test_calls(command, monkeypatch, capsys, name):
    calls = load(monkeypatch, "calls")
    monkeypatch.setattr(calls, "CHANGES", 5)
    monkeypatch.setattr(calls, "NEIGHBOURS", 1)
    for rows in ("BOUND", "STORED", "FRESH"):
        monkeypatch.setattr(calls, rows, ("3x3 8-16 @16",))
    command("calls", name, "--seconds", 0)
    assert len(capsys.readouterr().out.splitlines()) >= 3


def test_calibrations_print_what_the_chooser_has(command, monkeypatch, capsys):
    calibrate = load(monkeypatch, "calibrate_layers")
    monkeypatch.setattr(_choose, "FULL_FILTERS", _choose.FULL_FILTERS)
    monkeypatch.setattr(calibrate, "SECONDS", 0)
    for rows in ("PACKED", "PRODUCTS", "FEW_FILTERS", "SPECTRA"):
        monkeypatch.setattr(calibrate, rows, getattr(calibrate, rows)[:3])
    command("calibrate_layers")
    for line in capsys.readouterr().out.splitlines():
        name, _, value = line.partition("#")[0].partition(" = ")
        assert np.shape(eval(value)) == np.shape(getattr(_choose, name))


def test_costs_that_are_counted():
    p = _geometry.forward((1, 8, 20, 20), (16, 8, 3, 3), 1, 1, 1, 1, "zeros")
    products, packed, columns, calls = _choose.gemm_counts(p, np.dtype("f4"))
    assert products == p.multiply_adds / _choose._rate(np.dtype("f4"))
    assert (packed, columns, calls) == (16 * 8 * 9, 8 * 9 * 400, 1)
    sums, filters, call = _choose.spectra_counts(p, np.dtype("f4"))
    assert sums > 0 < filters
    assert call == 1
    assert _choose.spectra_counts(p, np.dtype("f4"), packed=True)[1] == 0
