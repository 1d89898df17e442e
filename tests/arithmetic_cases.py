"""What the tests of pyconvc.arithmetic share: ranges of arguments, and counting by hand."""

import hypothesis
from hypothesis import strategies as st

NAMES = ("valid", "same", "same_lower", "full", "causal")

sizes = st.integers(1, 30)
kernels = st.integers(1, 6)
strides = st.integers(1, 5)
dilations = st.integers(1, 4)
pads = st.integers(0, 6)
paddings = st.one_of(pads, st.tuples(st.tuples(pads, pads)), st.sampled_from(NAMES))


def given(*strategies):
    """hypothesis.given without a deadline: a busy machine is no failure."""
    return lambda test: hypothesis.settings(deadline=None)(hypothesis.given(*strategies)(test))


def painted(input, kernel, stride, dilation):
    """Outputs each tap of each input paints, before anything is cropped."""
    return [[i * stride + tap * dilation for tap in range(kernel)] for i in range(input)]


def outcome(function, *arguments):
    """What a function says, or that it refuses."""
    try:
        return function(*arguments)
    except ValueError:
        return "refused"
