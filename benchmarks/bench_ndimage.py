"""Filters of images whose edges are extended; cases in pyconvc/_cli/bench/ndimage.py."""

import pytest
from suite import family, run


@pytest.mark.parametrize(("case", "library"), family("ndimage"))
def test_ndimage(benchmark, case, library, count):
    run(benchmark, case, library, count)
