"""Sizes and padding: against counted windows, and numbers by hand."""

from math import ceil

import numpy as np
import pytest
from arithmetic_cases import dilations, given, kernels, paddings, pads, painted, sizes, strides
from hypothesis import strategies as st

from pyconvc.arithmetic import (
    adaptive_windows,
    conv_output_size,
    conv_transpose_output_size,
    dilate,
    effective_kernel_size,
    equivalent_convolution,
    flip,
    forward_inputs,
    output_padding_for,
    pool_output_size,
    resolve_padding,
    transpose_sizes,
    unfold_blocks,
    unfold_output_size,
    unpool_output_size,
)


def window_positions(input, kernel, stride, pair, dilation):
    """Starts of all windows that lie inside the padded input, in input coordinates."""
    before, after = pair
    starts = range(-before, input + after, stride)
    return [at for at in starts if at + dilation * (kernel - 1) < input + after]


@given(sizes, kernels, strides, paddings, dilations)
def test_conv_output_size_counts_the_windows(input, kernel, stride, padding, dilation):
    ((before, after),) = resolve_padding(padding, kernel, stride, dilation, input)
    count = len(window_positions(input, kernel, stride, (before, after), dilation))
    if count:
        size = conv_output_size(input, kernel, stride, padding, dilation)
        assert size == ((count,) if isinstance(padding, tuple) else count)
    else:
        with pytest.raises(ValueError, match=rf"kernel={kernel} .* spans .* is below 1"):
            conv_output_size(input, kernel, stride, padding, dilation)


@given(sizes, kernels, strides, dilations)
def test_same_gives_the_ceiling_with_the_least_padding(input, kernel, stride, dilation):
    reach = effective_kernel_size(kernel, dilation)
    for name in ("same", "same_lower"):
        ((before, after),) = resolve_padding(name, kernel, stride, dilation, input)
        assert conv_output_size(input, kernel, stride, name, dilation) == ceil(input / stride)
        assert (after if name == "same" else before) - min(before, after) in (0, 1)
        if before + after:
            less = input + before + after - 1
            assert less < reach or (less - reach) // stride + 1 < ceil(input / stride)


@given(sizes, kernels, dilations)
def test_full_and_causal_padding(input, kernel, dilation):
    reach = effective_kernel_size(kernel, dilation)
    assert conv_output_size(input, kernel, 1, "full", dilation) == input + reach - 1
    assert conv_output_size(input, kernel, 1, "causal", dilation) == input
    last_seen = window_positions(input, kernel, 1, (reach - 1, 0), dilation)
    assert [at + reach - 1 for at in last_seen] == list(range(input))


@given(sizes, kernels, strides, dilations, st.data())
def test_pool_output_size_counts_the_windows(input, kernel, stride, dilation, data):
    half = effective_kernel_size(kernel, dilation) // 2
    padding = data.draw(st.integers(0, half))
    inside = len(window_positions(input, kernel, stride, (padding, padding), dilation))
    last = input + padding + stride - 1
    hanging = window_positions(input, kernel, stride, (padding, last - input), dilation)
    hanging = len([at for at in hanging if at < input])
    for ceil_mode, count in ((False, inside), (True, hanging)):
        if count:
            assert pool_output_size(input, kernel, stride, padding, dilation, ceil_mode) == count
        else:
            with pytest.raises(ValueError, match="is below 1"):
                pool_output_size(input, kernel, stride, padding, dilation, ceil_mode)


@given(sizes, kernels, strides, pads, dilations, st.integers(0, 4))
def test_transposed_output_size_measures_the_paint(input, kernel, stride, pad, dilation, extra):
    size = max(map(max, painted(input, kernel, stride, dilation))) + 1 - 2 * pad + extra
    arguments = (input, kernel, stride, pad, extra, dilation)
    if extra >= max(stride, dilation):
        with pytest.raises(ValueError, match=f"output_padding={extra} .*stride={stride} or dila"):
            conv_transpose_output_size(*arguments)
    elif size < 1:
        with pytest.raises(ValueError, match=rf"crops everything .* = {size} is below 1"):
            conv_transpose_output_size(*arguments)
    else:
        assert conv_transpose_output_size(*arguments) == size


@given(st.integers(1, 12), kernels, strides, paddings, dilations)
def test_forward_inputs_are_all_that_give_the_output(output, kernel, stride, padding, dilation):
    def gives_it(input):
        try:
            size = conv_output_size((input,), kernel, stride, padding, dilation)
        except ValueError:
            return False
        return size == (output,)

    found = forward_inputs((output,), kernel, stride, padding, dilation)[0]
    assert list(found) == [input for input in range(1, 120) if gives_it(input)]


@given(st.integers(1, 12), kernels, strides, paddings, dilations)
def test_transpose_sizes_give_the_input_back(input, kernel, stride, padding, dilation):
    candidates = transpose_sizes((input,), kernel, stride, padding, dilation)[0]
    back = [c.size for c in candidates if c.output_padding < stride]
    assert tuple(back) == forward_inputs((input,), kernel, stride, padding, dilation)[0]
    for c in candidates:
        arguments = ((input,), kernel, stride, (c.padding,), c.output_padding, dilation)
        assert conv_transpose_output_size(*arguments) == (c.size,)
        (extra,) = output_padding_for((c.size,), input, kernel, stride, padding, dilation)
        assert extra == c.output_padding
    beyond = candidates[-1].size + 1 if candidates else 1
    with pytest.raises(ValueError, match=f"output_size={beyond} is out of reach"):
        output_padding_for((beyond,), input, kernel, stride, padding, dilation)


@given(st.integers(1, 12), kernels, strides, dilations)
def test_same_transposed_multiplies_by_the_stride(input, kernel, stride, dilation):
    reach = effective_kernel_size(kernel, dilation)
    extra = max(stride - reach, 0)
    assert conv_transpose_output_size(input, kernel, stride, "same", extra, dilation) == (
        input * stride
    )


@given(st.integers(1, 8), kernels, strides, pads, st.integers(0, 4), dilations)
def test_equivalent_convolution_computes_the_same(input, kernel, stride, pad, extra, dilation):
    rng = np.random.default_rng(input)
    x, w = rng.integers(-9, 9, input), rng.integers(-9, 9, kernel)
    try:
        size = conv_transpose_output_size(input, kernel, stride, pad, extra, dilation)
    except ValueError:
        return
    places = painted(input, kernel, stride, dilation)
    canvas = np.zeros(max(map(max, places)) + 1 + extra, int)
    for value, row in zip(x, places, strict=True):
        canvas[row] += value * w
    direct = equivalent_convolution(input, kernel, stride, pad, extra, dilation)
    before, after = direct.padding
    stretched = np.pad(dilate(x, stride), (max(before, 0), max(after, 0)))
    stretched = stretched[max(-before, 0) : len(stretched) - max(-after, 0)]
    assert direct.stretched == (input - 1) * stride + 1
    assert direct.output == size
    got = np.correlate(stretched, flip(dilate(w, dilation)))
    np.testing.assert_array_equal(got, canvas[pad : pad + size])


@given(st.integers(1, 20), st.integers(0, 25))
def test_adaptive_windows_cover_the_input_in_order(input, output):
    windows = adaptive_windows(input, output)
    assert len(windows) == output
    assert all(0 <= start < end <= input for start, end in windows)
    assert sorted(windows) == list(windows)
    if output:
        assert set().union(*(range(*window) for window in windows)) == set(range(input))


@pytest.mark.parametrize(
    ("arguments", "size"),
    [
        ((4, 3), 2),
        ((5, 4, 1, 2), 6),
        ((5, 3, 1, 1), 5),
        ((5, 3, 1, 2), 7),
        ((5, 3, 2), 2),
        ((5, 3, 2, 1), 3),
        ((6, 3, 2, 1), 3),
        ((7, 3, 1, 0, 2), 3),
        ((224, 7, 2, 3), 112),
        (((32, 5), (3, 5), (2, 1), ((1, 0), "valid")), (16, 1)),
        (((8, 9), 3, 2, ("same", "same_lower")), (4, 5)),
    ],
)
def test_conv_sizes_by_hand(arguments, size):
    assert conv_output_size(*arguments) == size


@pytest.mark.parametrize(
    ("arguments", "size"),
    [
        ((7, 2), 3),
        ((7, 2, None, 0, 1, True), 4),
        ((6, 3, 2, 0, 1, True), 3),
        ((5, 1, 3, 0, 1, True), 2),
        ((4, 1, 3, 0, 1, True), 2),
        ((2, 3, 2, 0, 1, True), 1),
        ((112, 3, 2, 1), 56),
        ((9, 2, 1, 1, 3), 8),
        (((5, 4), (2, 1), 2, (1, 0), 1, True), (3, 2)),
    ],
)
def test_pool_sizes_by_hand(arguments, size):
    assert pool_output_size(*arguments) == size


def test_unfold_and_unpool_sizes_by_hand():
    assert unfold_output_size((10, 12), (4, 5)) == (7, 8)
    assert unfold_blocks((10, 12), (4, 5)) == 56
    assert unfold_blocks(10, 3, stride=2, dilation=2, padding=1) == 4
    assert unpool_output_size((2, 3), 3, stride=2, padding=1) == (3, 5)


@pytest.mark.parametrize(
    ("padding", "pairs"),
    [
        (1, ((1, 1), (1, 1))),
        ((1, 2), ((1, 1), (2, 2))),
        ((3,), ((3, 3), (3, 3))),
        (((1, 2),), ((1, 2), (1, 2))),
        (((0, 1), (2, 0)), ((0, 1), (2, 0))),
        ("valid", ((0, 0), (0, 0))),
        ("same", ((0, 1), (4, 4))),
        ("same_lower", ((1, 0), (4, 4))),
        ("full", ((1, 1), (8, 8))),
        ("causal", ((1, 0), (8, 0))),
        (("causal", "same"), ((1, 0), (4, 4))),
    ],
)
def test_every_form_of_padding(padding, pairs):
    assert resolve_padding(padding, kernel=(2, 3), dilation=(1, 4)) == pairs


def test_same_padding_with_a_stride_by_hand():
    assert resolve_padding("same", 3, stride=2, input=5) == ((1, 1),)
    assert resolve_padding("same", 3, stride=2, input=6) == ((0, 1),)
    assert resolve_padding("same_lower", 3, stride=2, input=6) == ((1, 0),)
    assert resolve_padding("same", 1, stride=3, input=8) == ((0, 0),)


def test_answers_have_the_form_of_the_question():
    assert conv_output_size(5, 3) == 3
    assert conv_output_size((5,), 3) == (3,)
    assert conv_output_size((5, 6), 3) == conv_output_size(5, 3, padding=((0, 0), (0, 1)))
    assert conv_output_size(np.int64(5), np.array([3, 2])) == (3, 4)
    assert [type(n) for n in conv_output_size(np.int64(5), np.array([3, 2]))] == [int, int]
    assert forward_inputs((3, 3), 3, stride=(1, 2)) == ((5,), (7, 8))
