"""pad, unfold, fold and the shuffles against the reference and PyTorch, and undone again."""

import itertools

import cases
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nn_cases import layers, torch_on_one_thread

from pyconvc import nn
from pyconvc.nn import grad
from pyconvc.reference import nn as reference

PAD_MODES = ["constant", "reflect", "replicate", "circular"]
dtypes = st.sampled_from([*cases.DTYPES, np.dtype(np.float16)])
views = st.sampled_from([*cases.VIEWS])


@st.composite
def pads(draw):
    """A shape, pads of its last axes, a mode."""
    shape = draw(st.lists(st.integers(1, 5), min_size=1, max_size=4))
    mode = draw(st.sampled_from(PAD_MODES))
    ends = []
    for n in shape[::-1][: draw(st.integers(0, len(shape)))]:
        before = draw(st.integers(-n + 1, 9))
        after = draw(st.integers(-n + 1 - min(before, 0), 9))
        ends += [before, after]
    return tuple(shape), tuple(ends), mode


@given(pads(), dtypes, views, st.integers(0, 2**32 - 1))
def test_pad(case, dtype, view, seed):
    shape, ends, mode = case
    x = cases.VIEWS[view](np.random.default_rng(seed), shape, dtype)
    value = 1 if mode == "constant" and seed % 2 else None
    want = reference.pad(x, ends, mode, value)
    cases.assert_same(nn.pad(x, ends, mode, value), want, x.dtype.newbyteorder("="), case=case)
    g = cases.random(want.shape, dtype, seed)
    with np.errstate(over="ignore"):  # sums of NumPy's scalars tell that they wrap
        want = reference.grad.pad_input(shape, g, ends, mode)
    got = grad.pad_input(shape, g, ends, mode)
    cases.assert_same(got, want, terms=4 * 10 ** len(shape), case=case)


@given(pads())
def test_pad_and_its_gradient_are_adjoints(case):
    shape, ends, mode = case
    x = cases.random(shape)
    y = nn.pad(x, ends, mode)
    g = cases.random(y.shape, seed=1)
    back = grad.pad_input(shape, g, ends, mode)
    scale = np.abs(y * g).sum()
    np.testing.assert_allclose((x * back).sum(), (y * g).sum(), rtol=1e-12, atol=1e-12 * scale)


def test_pad_by_hand():
    assert nn.pad([1, 2, 3], (2, 1)).tolist() == [0, 0, 1, 2, 3, 0]
    assert nn.pad([1, 2, 3], (2, 1), value=7).tolist() == [7, 7, 1, 2, 3, 7]
    assert nn.pad([1, 2, 3], (-1, 3), "circular").tolist() == [2, 3, 2, 3, 2]
    assert nn.pad([1, 2, 3], (5, 5), "reflect").tolist() == [2, 1, 2, 3, 2, 1, 2, 3, 2, 1, 2, 3, 2]
    assert nn.pad([[1, 2], [3, 4]], (0, 1, 1, 0), "replicate").tolist() == [
        [1, 2, 2],
        [1, 2, 2],
        [3, 4, 4],
    ]
    assert nn.pad([1, 2], (-1, -1)).shape == (0,)


@given(layers(modes=("zeros",), most_channels=2), dtypes, views)
def test_unfold_and_fold(layer, dtype, view):
    x = layer.arrays(dtype, view)[0]
    names = "dilation", "padding", "stride"
    arguments = (layer.taps, *(layer.options[name] for name in names))
    p = nn._geometry.forward(
        (1, 1, *layer.space), (1, 1, *layer.taps), *(arguments[i] for i in (3, 2, 1)), 1, "zeros"
    )
    ends = [pair for pair in zip(p.before, p.after, strict=True)]
    plain = layer.taps, arguments[1], ends, arguments[3]
    want = reference.unfold(x, *plain)
    got = nn.unfold(x, *arguments)
    cases.assert_same(got, want, x.dtype.newbyteorder("="), layer=layer)
    back = reference.fold(want, layer.space, *plain)
    cases.assert_same(nn.fold(got, layer.space, *arguments), back, layer=layer)


def test_columns_times_filters_are_a_convolution():
    x, w = cases.random((2, 4, 7, 6)), cases.random((5, 4, 3, 2), seed=1)
    columns = nn.unfold(x, (3, 2), (1, 2), 1, (2, 1))
    product = w.reshape(5, -1) @ columns
    want = nn.conv2d(x, w, None, (2, 1), 1, (1, 2))
    cases.assert_same(product.reshape(want.shape), want)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("padding", [0, (1, 2)])
@pytest.mark.parametrize("dilation", [1, 2])
def test_columns_of_pytorch(dilation, padding, stride):
    torch = torch_on_one_thread()
    x = cases.random((2, 3, 8, 7))
    for kernel, single in itertools.product((2, (3, 2)), (False, True)):
        a = x[0] if single else x
        arguments = kernel, dilation, padding, stride
        want = torch.nn.functional.unfold(torch.tensor(a), *arguments)
        cases.assert_same(nn.unfold(a, *arguments), want.numpy())
        back = torch.nn.functional.fold(want, (8, 7), *arguments).numpy()
        cases.assert_same(nn.fold(want.numpy(), (8, 7), *arguments), back)


@pytest.mark.parametrize("mode", PAD_MODES)
def test_pad_of_pytorch(mode):
    torch = torch_on_one_thread()
    x = cases.random((2, 3, 4, 5))
    for ends in [(1, 2), (2, 0, 1, 1), (-1, 2), (0, -2, 1, -1), (-1, -1)]:
        a = x[:, 0] if len(ends) == 2 and mode != "constant" else x
        want = torch.nn.functional.pad(torch.tensor(a), ends, mode).numpy()
        cases.assert_same(nn.pad(a, ends, mode), want, ends=ends)


@given(
    st.lists(st.integers(1, 3), max_size=3),
    st.integers(1, 3),
    st.integers(1, 3),
    dtypes,
    views,
)
def test_pixel_shuffle_and_back(lead, channels, r, dtype, view):
    shape = (*lead, channels * r * r, 3, 2)
    x = cases.VIEWS[view](np.random.default_rng(0), shape, dtype)
    want = reference.pixel_shuffle(x, r)
    got = nn.pixel_shuffle(x, r)
    cases.assert_same(got, want, want.dtype.newbyteorder("="))
    np.testing.assert_array_equal(nn.pixel_unshuffle(got, r), x)
    wide = cases.VIEWS[view](np.random.default_rng(0), (*lead, channels, 2 * r, 3 * r), dtype)
    want = reference.pixel_unshuffle(wide, r)
    cases.assert_same(nn.pixel_unshuffle(wide, r), want, want.dtype.newbyteorder("="))


@given(st.integers(1, 4), st.integers(1, 4), dtypes, views)
def test_channel_shuffle_and_back(groups, each, dtype, view):
    x = cases.VIEWS[view](np.random.default_rng(0), (2, groups * each, 3, 2), dtype)
    want = reference.channel_shuffle(x, groups)
    got = nn.channel_shuffle(x, groups)
    cases.assert_same(got, want, want.dtype.newbyteorder("="))
    np.testing.assert_array_equal(nn.channel_shuffle(got, each), x)


def test_shuffles_of_pytorch():
    torch = torch_on_one_thread()
    x = cases.random((2, 12, 4, 6))
    functional, tensor = torch.nn.functional, torch.tensor(x)
    cases.assert_same(nn.pixel_shuffle(x, 2), functional.pixel_shuffle(tensor, 2).numpy())
    cases.assert_same(nn.pixel_unshuffle(x, 2), functional.pixel_unshuffle(tensor, 2).numpy())
    cases.assert_same(nn.channel_shuffle(x, 3), functional.channel_shuffle(tensor, 3).numpy())


CALLS = [
    (nn.pad, (2, 4, 4, 4), ((1, 2, 0, 1), "reflect")),
    (nn.unfold, (2, 4, 4, 4), (3, 1, 1)),
    (nn.fold, (2, 8, 9), ((4, 4), 2)),
    (nn.pixel_shuffle, (2, 4, 4, 4), (2,)),
    (nn.pixel_unshuffle, (2, 4, 4, 4), (2,)),
    (nn.channel_shuffle, (2, 4, 4, 4), (2,)),
]


@pytest.mark.parametrize("view", ["contiguous", "fortran", "negative", "stepped", "unaligned"])
@pytest.mark.parametrize(
    ("call", "shape", "arguments"), CALLS, ids=lambda v: getattr(v, "__name__", "")
)
def test_out_in_any_layout(call, shape, arguments, view):
    x = cases.random(shape)
    want = call(x, *arguments)
    out = cases.VIEWS[view](np.random.default_rng(1), want.shape, x.dtype)
    assert call(x, *arguments, out=out, workers=2) is out
    np.testing.assert_array_equal(out, want)
    if call is not nn.pixel_shuffle:
        return
    with pytest.raises(ValueError, match="out: must not overlap input"):
        call(x, *arguments, out=x.reshape(want.shape))
