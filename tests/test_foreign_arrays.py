"""Arrays of other libraries: by the array interface, a buffer, or DLPack alone."""

from types import SimpleNamespace

import numpy as np
import pytest

import pyconvc
from pyconvc import arithmetic, nn


class DLPackOnly:
    """What a library shows that has nothing but DLPack."""

    def __init__(self, values):
        self._values = values

    def __dlpack__(self, **options):
        return self._values.__dlpack__(**options)

    def __dlpack_device__(self):
        return self._values.__dlpack_device__()


def interface_only(values):
    """What a library shows that has nothing but NumPy's array interface."""
    return SimpleNamespace(__array_interface__=values.__array_interface__, owner=values)


def tensor(values):
    """A tensor with the samples and the steps of `values`."""
    return pytest.importorskip("torch").from_numpy(values)


KINDS = [DLPackOnly, interface_only, memoryview, tensor]
LAYOUTS = {
    "contiguous": np.ascontiguousarray,
    "fortran": np.asfortranarray,
    "strided": lambda a: np.repeat(a, 2, -1)[..., ::2],
    "transposed": lambda a: a.T.copy().T,
}

IMAGE, KERNEL = np.arange(15.0).reshape(3, 5), np.arange(1.0, 5).reshape(2, 2)
X, W = np.arange(30.0).reshape(1, 2, 3, 5), np.arange(1.0, 9).reshape(2, 2, 2, 1)
GRADIENT, BIAS = np.arange(20.0).reshape(1, 2, 2, 5), np.array([3.0, 4.0])
CALLS = {
    "signal": (pyconvc.convolve, IMAGE, KERNEL),
    "signal fft": (pyconvc.fftconvolve, IMAGE, KERNEL),
    "signal vector": (pyconvc.convolve1d, IMAGE, BIAS),
    "layer": (nn.conv2d, X, W, BIAS),
    "layer gemm": (lambda *arrays: nn.conv2d(*arrays, method="gemm"), X, W, BIAS),
    "plan": (lambda x, *filters: nn.plan(X.shape, *filters)(x), X, W, BIAS),
    "transposed layer": (nn.conv_transpose2d, X, W, BIAS),
    "input gradient": (lambda w, g: nn.grad.conv2d_input(X.shape, w, g), W, GRADIENT),
    "weight gradient": (lambda x, g: nn.grad.conv2d_weight(x, W.shape, g), X, GRADIENT),
    "pool": (lambda x: nn.max_pool2d(x, 2), X),
    "columns": (lambda x: nn.unfold(x, 2), X),
    "padding": (lambda x: nn.pad(x, (1, 2)), X),
    "compose": (arithmetic.compose, IMAGE, KERNEL),
    "flip": (arithmetic.flip, KERNEL),
    "rank": (arithmetic.rank, KERNEL),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", CALLS)
def test_same_as_of_an_ndarray(name, kind, layout):
    call, *arrays = CALLS[name]
    got = call(*(kind(LAYOUTS[layout](a)) for a in arrays))
    want = call(*arrays)
    np.testing.assert_array_equal(got, want)
    assert type(got) is type(want)


def test_samples_are_read_in_place():
    x = np.ones((1, 4, 300, 300), np.float32)
    with pytest.raises(ValueError, match="out: must not overlap input"):
        nn.max_pool2d(DLPackOnly(x), 1, out=x)


@pytest.mark.parametrize("name", [name for name in CALLS if name != "rank"])
def test_a_tensor_that_wants_a_gradient(name):
    call, *arrays = CALLS[name]
    tensors = [tensor(a).requires_grad_() for a in arrays]
    with pytest.raises(TypeError, match=r"^\w+: a Tensor that NumPy cannot read: .*detach"):
        call(*tensors)
    call(*(t.detach() for t in tensors))


@pytest.mark.parametrize(("position", "argument"), list(enumerate(["input", "weight", "bias"])))
def test_the_argument_is_named(position, argument):
    arrays = [X, W, BIAS]
    arrays[position] = tensor(arrays[position]).requires_grad_()
    for call in (nn.conv2d, nn.conv_transpose2d):
        with pytest.raises(TypeError, match=f"^{argument}: a Tensor"):
            call(*arrays)


def test_another_devices_memory():
    class Elsewhere(DLPackOnly):
        def __dlpack__(self, **options):
            raise BufferError("in the memory of a graphics card")

    with pytest.raises(TypeError, match=r"^in1: an? Elsewhere .* graphics card"):
        pyconvc.convolve(Elsewhere(IMAGE), KERNEL)
