"""The documentation's classifier of digits: it learns, and as PyTorch does."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from nn_cases import torch_on_one_thread

EXAMPLE = Path(__file__).parents[1] / "docs" / "examples" / "digits.py"
EPOCHS = 30


@pytest.fixture(scope="module")
def digits():
    """Names of the example."""
    pytest.importorskip("sklearn", reason="has the digits")
    return runpy.run_path(str(EXAMPLE))


@pytest.fixture(scope="module")
def trained(digits):
    """Weights and losses."""
    training, _ = digits["data"]()
    return digits["train"](*training, EPOCHS)


def test_97_percent_of_digits_never_seen(digits, trained):
    _, held_out = digits["data"]()
    assert digits["accuracy"](trained[0], *held_out) >= 0.97


def test_losses_are_those_of_pytorch(digits, trained):
    torch = torch_on_one_thread()
    training, _ = digits["data"]()
    _, losses = digits["train_in_torch"](torch, *training, EPOCHS)
    np.testing.assert_allclose(trained[1], losses, rtol=0, atol=1e-4)


def test_runs_as_a_script(digits, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["digits.py", "--epochs", "1"])
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[-4:]] == ["epoch", "1", "held", "seconds"]
