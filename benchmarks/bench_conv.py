"""Layers, gradients, transposed layers; cases in pyconvc/_cli/bench/conv.py."""

import pytest
from suite import family, run


@pytest.mark.parametrize(("case", "library"), family("conv"))
def test_conv(benchmark, case, library, count):
    run(benchmark, case, library, count)
