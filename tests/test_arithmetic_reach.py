"""Receptive fields, gridding and overlap: against sets of samples."""

import itertools
from math import prod

import numpy as np
import pytest
from arithmetic_cases import dilations, given, kernels, pads, painted, strides
from hypothesis import strategies as st

from pyconvc.arithmetic import (
    Layer,
    effective_kernel_size,
    gridding,
    overlap_map,
    receptive_field,
)

layers = st.builds(
    Layer, kernel=st.integers(1, 4), stride=st.integers(1, 3), padding=pads, dilation=dilations
)


@given(st.lists(layers, min_size=1, max_size=4), st.integers(0, 5))
def test_receptive_field_is_the_set_of_samples_seen(stack, output):
    seen = {output}
    for layer in reversed(stack):
        seen = {
            at * layer.stride + tap * layer.dilation - layer.padding
            for at in seen
            for tap in range(layer.kernel)
        }
    field = receptive_field(stack)
    assert field.region(output) == (min(seen), max(seen))
    assert field.size == max(seen) - min(seen) + 1
    assert field.centre == field.start + (field.size - 1) / 2
    assert field.jump == prod(layer.stride for layer in stack)


def test_receptive_field_of_resnet_stem_and_axes():
    stem = [Layer(7, 2, 3, name="conv1"), Layer(3, 2, 1, name="maxpool"), Layer(3, 1, 1)]
    field = receptive_field(stem, input=224)
    assert [(s.name, s.size, s.jump, s.start, s.output) for s in field.steps] == [
        ("conv1", 7, 2, -3, 112),
        ("maxpool", 11, 4, -5, 56),
        ("2", 19, 4, -9, 56),
    ]
    both = receptive_field([((3, 5), 2, "same"), {"kernel": 3, "stride": (1, 2)}], input=(8, 9))
    assert (both.size, both.jump, both.start) == ((7, 9), (2, 4), (0, -2))
    assert (both.centre, both.steps[-1].output) == ((3.0, 2.0), (2, 2))
    assert both.region((0, 1)) == ((0, 6), (2, 10))
    row = " ".join(repr(both).splitlines()[1].split())
    assert row == "0 (3, 5) (2, 2) (0, -2) (1.0, 0.0) (4, 5)"


def test_receptive_field_refuses():
    with pytest.raises(ValueError, match="layers is empty"):
        receptive_field([])
    with pytest.raises(ValueError, match="depends on it"):
        receptive_field([Layer(3, 2, "same")])
    with pytest.raises(ValueError, match=r"has 2 entries; .* of the 3 axes"):
        receptive_field([Layer((3, 3)), Layer((3, 3, 3))], input=(9, 9))
    with pytest.raises(ValueError, match=r"kernel=5 .* spans 5 samples .* input=3 "):
        receptive_field([Layer(3), Layer(5)], input=5)


def taps_seen(rates, kernel):
    """Multiset of the offsets that a stack of dilations adds up to."""
    return [
        sum(rate * tap for rate, tap in zip(rates, taps, strict=True))
        for taps in itertools.product(range(kernel), repeat=len(rates))
    ]


def test_gridding_counts_every_path():
    for kernel in (1, 2, 3, 4):
        for rates in itertools.product(range(1, 6), repeat=3):
            paths, found = taps_seen(rates, kernel), gridding(rates, kernel)
            assert found.coverage == tuple(map(paths.count, range(max(paths) + 1)))
            assert found.covered == (len(set(paths)) == found.size) == (found.holes == ())
            if found.common_factor > 1:
                assert kernel == 1 or not found.covered


def test_hybrid_rule_is_sufficient_for_odd_kernels_on_a_dense_first_layer():
    held = 0
    for kernel, depth in itertools.product((3, 5, 7), (2, 3, 4)):
        for rates in itertools.product(range(1, 8), repeat=depth - 1):
            found = gridding((1, *rates), kernel)
            if found.within_bound:
                held += 1
                assert found.covered, found
    assert held > 400


@pytest.mark.parametrize(
    ("rates", "kernel", "distances", "within", "covered"),
    [
        ((1, 2, 5), 3, (2, 5), True, True),
        ((1, 2, 9), 3, (5, 9), False, False),
        ((2, 2, 2), 3, (2, 2), True, False),
        ((1, 3, 1), 3, (5, 1), False, True),
        ((1, 2, 5), 2, (2, 5), True, False),
        ((1, 2, 4, 8), 2, (2, 4, 8), True, True),
        ((3,), 3, (), True, False),
    ],
)
def test_hybrid_rule_by_hand(rates, kernel, distances, within, covered):
    found = gridding(rates, kernel)
    assert (found.distances, found.within_bound, found.covered) == (distances, within, covered)


@given(st.integers(1, 9), kernels, strides, st.integers(0, 3), dilations)
def test_overlap_map_counts_the_paint(input, kernel, stride, pad, dilation):
    try:
        found = overlap_map(kernel, stride, pad, dilation, input=input)
    except ValueError:
        assert (input - 1) * stride + dilation * (kernel - 1) + 1 - 2 * pad < 1
        return
    places = list(itertools.chain(*painted(input, kernel, stride, dilation)))
    assert found.axes == (tuple(places.count(at + pad) for at in range(len(found.axes[0]))),)
    even = stride == 1 or (kernel % stride == 0 and np.gcd(dilation, stride) == 1)
    assert found.even == even


@given(kernels, strides, st.integers(0, 3), dilations)
def test_overlap_phases_are_what_repeats_inside(kernel, stride, pad, dilation):
    reach = effective_kernel_size(kernel, dilation)
    (counts,) = overlap_map(kernel, stride, pad, dilation, input=2 * reach + 2 * pad + 3).axes
    (phases,) = overlap_map(kernel, stride, pad, dilation, input=2 * reach + 2 * pad + 3).phases
    for at in range(reach, len(counts) - reach):
        assert counts[at] == phases[at % stride]


def test_overlap_of_two_axes_multiplies():
    found = overlap_map((3, 2), 2, input=(3, 2))
    np.testing.assert_array_equal(found.counts, np.outer([1, 1, 2, 1, 2, 1, 1], [1, 1, 1, 1]))
    assert (found.even, found.extremes) == (False, (1, 2))
    assert "uneven, 1 to 2" in repr(found)
    gaps = overlap_map(1, 3)
    assert gaps.extremes == (0, 1)
    cropped = overlap_map(3, 2, padding=((1, 0),), output_padding=1, input=3)
    assert cropped.counts.tolist() == [1, 2, 1, 2, 1, 1, 0]
