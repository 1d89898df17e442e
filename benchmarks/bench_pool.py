"""Pools of images; cases in pyconvc/_cli/bench/pool.py."""

import pytest
from suite import family, run


@pytest.mark.parametrize(("case", "library"), family("pool"))
def test_pool(benchmark, case, library, count):
    run(benchmark, case, library, count)
