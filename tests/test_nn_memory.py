"""Memory of layers beside inputs, outputs and packed weights, measured in fresh processes."""

import sys

import pytest
from test_memory import PER_WORKER, peak

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads as Linux does")

# Input, weight and output for a size n, arguments of the layer, and two sizes: the larger one's
# arrays are far beyond what may be taken.
LAYERS = {
    "dense": ("2, 64, n, n", "64, 64, 3, 3", "2, 64, n, n", "None, 1, 1", 8, 224),
    "few channels": ("1, 3, n, n", "64, 3, 7, 7", "1, 64, n//2, n//2", "None, 2, 3", 8, 448),
    "pointwise": ("4, 64, n, n", "256, 64, 1, 1", "4, 256, n, n", "None", 8, 100),
    "depthwise": ("4, 96, n, n", "96, 1, 7, 7", "4, 96, n, n", "None, 1, 3, 1, 96", 8, 112),
    "dilated": ("4, 64, n, n", "64, 64, 3, 3", "4, 64, n, n", "None, 1, 12, 12", 8, 130),
    "plane": ("1, 1, n, n", "1, 1, 5, 5", "1, 1, n, n", "None, 1, 2", 8, 2500),
    "line": ("1, 64, n", "64, 64, 9", "1, 64, n", "None, 1, 32, 8", 80, 100_000),
    "volume": ("1, 16, n, n, n", "16, 16, 3, 3, 3", "1, 16, n, n, n", "None, 1, 1", 4, 80),
}


def arrays_of(layer):
    """Source that makes the arrays of a layer."""
    x, w, y, *_ = LAYERS[layer]
    return f"x, w, y = ones({x}), ones({w}), ones({y})"


def rank_of(layer):
    """Axes of space."""
    return LAYERS[layer][1].count(",") - 1


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("method", ["direct", "gemm"])
@pytest.mark.parametrize("layer", LAYERS)
def test_forward(layer, method, workers, tmp_path):
    *_, arguments, small, large = LAYERS[layer]
    mode = "zeros" if workers == 1 else "circular"
    call = (
        f"nn.conv{rank_of(layer)}d(x, w, {arguments}, padding_mode={mode!r}, method={method!r}, "
        f"workers={workers}, out=y)"
    )
    assert peak(tmp_path, arrays_of(layer), call, small, large) < workers * PER_WORKER


@pytest.mark.parametrize("layer", ["dense", "depthwise", "line", "volume"])
@pytest.mark.parametrize("mode", ["zeros", "reflect"])
def test_gradients(layer, mode, tmp_path):
    *_, arguments, small, large = LAYERS[layer]
    rank, arguments = rank_of(layer), arguments.removeprefix("None, ")
    for call in (
        f"nn.grad.conv{rank}d_input(x.shape, w, y, {arguments}, padding_mode={mode!r}, out=x)",
        f"nn.grad.conv{rank}d_weight(x, w.shape, y, {arguments}, padding_mode={mode!r}, out=w)",
    ):
        call = call[:-1] + ", workers=1)"
        assert peak(tmp_path, arrays_of(layer), call, small, large) < PER_WORKER


def test_transposed(tmp_path):
    arrays = "x, w, y = ones(2, 64, n, n), ones(64, 32, 4, 4), ones(2, 32, 2*n, 2*n)"
    call = "nn.conv_transpose2d(x, w, None, 2, 1, workers=1, out=y)"
    assert peak(tmp_path, arrays, call, 8, 160) < PER_WORKER


NARROW = "x, w, y = (np.ones(s, np.float16) for s in ({x}, (8, 8, 3, 3), {x}))"
NARROW_CALLS = [
    "nn.conv2d(x, w, None, 1, 1, padding_mode='circular', out=y, workers=1)",
    "nn.conv_transpose2d(x, w, None, 1, 1, out=y, workers=1)",
    "nn.grad.conv2d_weight(x, w.shape, y, 1, 1, out=w, workers=1)",
]


@pytest.mark.parametrize("call", NARROW_CALLS)
@pytest.mark.parametrize(
    ("x", "small", "large"), [("n, 8, 99, 99", 2, 100), ("1, 8, n, n", 9, 999)]
)
def test_narrow_storage(x, small, large, call, tmp_path):
    """A few samples, or a few rows of one, are converted at a time."""
    assert peak(tmp_path, NARROW.format(x=f"({x})"), call, small, large) < PER_WORKER


def test_plan_of_narrow_storage(tmp_path):
    arrays = NARROW.format(x="(n, 8, 99, 99)")
    arrays += "; pyconvc.plan = pyconvc.nn.plan(x.shape, w, padding=1, workers=1)"
    assert peak(tmp_path, arrays, "plan(x, out=y)", 2, 100) < PER_WORKER


def test_channels_last(tmp_path):
    """Read and written where they are."""
    arrays = "x, w, y = ones(2, n, n, 64), ones(64, 64, 3, 3), ones(2, n, n, 64)"
    call = "nn.conv2d(np.moveaxis(x, 3, 1), w, None, 1, 1, out=np.moveaxis(y, 3, 1), workers=1)"
    assert peak(tmp_path, arrays, call, 8, 224) < PER_WORKER


@pytest.mark.parametrize("method", ["direct", "gemm"])
def test_plan(method, tmp_path):
    arrays = f"""x, w, y = ones(2, 64, n, n), ones(64, 64, 3, 3), ones(2, 64, n, n)
    pyconvc.plan = pyconvc.nn.plan(x.shape, w, padding=1, workers=1, method={method!r})"""
    assert peak(tmp_path, arrays, "plan(x, out=y)", 8, 224) < PER_WORKER


def test_factors(tmp_path):
    arrays = (
        "x, v, w, y = ones(n, 64, 40, 40), ones(64, 1, 3, 3), "
        "ones(64, 64, 1, 1), ones(n, 64, 40, 40)"
    )
    call = "nn.depthwise_separable_conv2d(x, v, w, padding=1, workers=1, out=y)"
    assert peak(tmp_path, arrays, call, 1, 64) < PER_WORKER


def test_pools_of_windows_far_apart(tmp_path):
    """What lies between windows is not copied."""
    arrays = "x = np.ones((1, 16 * n), 'uint8'); from pyconvc import nn; y = nn.avg_pool1d(x, 2, n)"
    call = "nn.avg_pool1d(x, 2, n, out=y, workers=1)"
    assert peak(tmp_path, arrays, call, 100, 1 << 22) < PER_WORKER
