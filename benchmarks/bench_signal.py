"""Filters of one, two and three dimensions; cases in pyconvc/_cli/bench/signal.py."""

import pytest
from suite import family, run


@pytest.mark.parametrize(("case", "library"), family("signal"))
def test_signal(benchmark, case, library, count):
    run(benchmark, case, library, count)
