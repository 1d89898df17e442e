"""Layers, their gradients and transposed layers, with the meaning of torch.nn.functional."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from itertools import product

import numpy as np

import pyconvc
from pyconvc import nn
from pyconvc._cli.bench.case import PEERS, Call, per_axis, random, tolerance_of
from pyconvc.nn import grad
from pyconvc.nn._geometry import Layer, forward, transposed

OPERATIONS = ("forward", "input_grad", "weight_grad", "transposed")
MOST_COLUMNS = 3e9  # bytes of the matrix that PyTorch makes of a float64 input


@dataclass(frozen=True)
class ConvCase:
    """A layer of an input `x` and filters `w`, or what `op` names of it, on normal random numbers.

    `plan` has pyconvc pack the weights beforehand, as onnxruntime always does.
    """

    name: str
    x: tuple[int, ...]
    w: tuple[int, ...]
    op: str = "forward"
    stride: int | tuple[int, ...] = 1
    padding: int | tuple[int, ...] = 0
    output_padding: int | tuple[int, ...] = 0
    dilation: int | tuple[int, ...] = 1
    groups: int = 1
    dtype: str = "float32"
    plan: bool = False
    family: str = "conv"

    @functools.cached_property
    def layer(self) -> Layer:
        """Its numbers; for a transposed one, of the convolution that it transposes."""
        numbers = self.stride, self.padding
        if self.op == "transposed":
            numbers += self.output_padding, self.groups, self.dilation, None
            return transposed(self.x, self.w, *numbers, "zeros")
        return forward(self.x, self.w, *numbers, self.dilation, self.groups, "zeros")

    @property
    def tolerance(self) -> float:
        return tolerance_of(np.dtype(self.dtype))

    @property
    def flops(self) -> int:
        return 2 * self.layer.multiply_adds

    @property
    def bytes(self) -> int:
        p = self.layer
        samples = sum(math.prod(shape) for shape in (p.x_shape, p.w_shape, p.y_shape))
        return samples * np.dtype(self.dtype).itemsize

    def libraries(self) -> list[str]:
        return ["pyconvc", *(peer for peer in PEERS if PEERS[peer]() and self._suits(peer))]

    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Input, filters and output of the layer, or of the one that is transposed."""
        rng, dtype, p = np.random.default_rng(0), np.dtype(self.dtype), self.layer
        return tuple(random(rng, shape, dtype) for shape in (p.x_shape, p.w_shape, p.y_shape))

    def calls(self) -> dict[str, Call]:
        arrays = self.arrays()
        return {name: getattr(self, f"_{name}")(*arrays) for name in self.libraries()}

    def _suits(self, peer: str) -> bool:
        if peer == "onnxruntime":
            return self.op == "forward" and self.dtype == "float32"
        columns = 8 * math.prod(self.layer.y_shape[2:]) * math.prod(self.w[1:])
        return peer == "torch" and (self.dtype != "float64" or columns < MOST_COLUMNS)

    def _pyconvc(self, x: np.ndarray, w: np.ndarray, y: np.ndarray) -> Call:
        rank = x.ndim - 2
        numbers = self.stride, self.padding, self.dilation, self.groups
        if self.plan:
            return functools.partial(nn.plan(x.shape, w, None, *numbers), x)
        if self.op == "input_grad":
            call = getattr(grad, f"conv{rank}d_input")
            return lambda: call(x.shape, w, y, *numbers)
        if self.op == "weight_grad":
            call = getattr(grad, f"conv{rank}d_weight")
            return lambda: call(x, w.shape, y, *numbers)
        if self.op == "transposed":
            numbers = (*numbers[:2], self.output_padding, self.groups, self.dilation)
            return functools.partial(getattr(nn, f"conv_transpose{rank}d"), y, w, None, *numbers)
        return functools.partial(getattr(nn, f"conv{rank}d"), x, w, None, *numbers)

    def _torch(self, *arrays: np.ndarray) -> Call:
        torch, rank = PEERS["torch"](), len(self.x) - 2
        x, w, y = (torch.from_numpy(a) for a in arrays)
        stride, padding, dilation, more = (
            list(per_axis(value, rank))
            for value in (self.stride, self.padding, self.dilation, self.output_padding)
        )
        numbers = stride, padding, dilation, self.groups
        if self.op == "forward":
            conv = getattr(torch.nn.functional, f"conv{rank}d")
            return lambda: conv(x, w, None, *numbers).numpy()
        if self.op == "transposed":
            conv = getattr(torch.nn.functional, f"conv_transpose{rank}d")
            return lambda: conv(y, w, None, stride, padding, more, self.groups, dilation).numpy()
        of = ("input_grad", "weight_grad").index(self.op)
        wanted = [i == of for i in range(3)]
        numbers = (*numbers[:3], False, [0] * rank, self.groups, wanted)
        backward = torch.ops.aten.convolution_backward
        return lambda: backward(y, x, w, None, *numbers)[of].numpy()

    def _onnxruntime(self, x: np.ndarray, w: np.ndarray, y: np.ndarray) -> Call:
        engine, rank = PEERS["onnxruntime"](), x.ndim - 2
        options = engine.SessionOptions()
        options.intra_op_num_threads = pyconvc.get_num_threads()
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        session = engine.InferenceSession(
            _model(w, x.shape, y.shape, self._attributes(rank)),
            options,
            providers=["CPUExecutionProvider"],
        )
        return lambda: session.run(None, {"x": x})[0]

    def _attributes(self, rank: int) -> dict:
        """Of ONNX's operator Conv."""
        return {
            "kernel_shape": self.w[2:],
            "strides": per_axis(self.stride, rank),
            "pads": 2 * per_axis(self.padding, rank),
            "dilations": per_axis(self.dilation, rank),
            "group": self.groups,
        }


def _model(w: np.ndarray, x_shape: tuple, y_shape: tuple, attributes: dict) -> bytes:
    """A network of one convolution."""
    import onnx

    make, single = onnx.helper, onnx.TensorProto.FLOAT
    graph = make.make_graph(
        [make.make_node("Conv", ["x", "w"], ["y"], **attributes)],
        "layer",
        [make.make_tensor_value_info("x", single, x_shape)],
        [make.make_tensor_value_info("y", single, y_shape)],
        [onnx.numpy_helper.from_array(w, "w")],
    )
    versions = {"opset_imports": [make.make_opsetid("", 17)], "ir_version": 8}
    return make.make_model(graph, **versions).SerializeToString()


def _square(name: str, inputs: int, outputs: int, taps: int, size: int, **numbers) -> ConvCase:
    """A layer of a square image and a square kernel, its edges padded to keep the size."""
    dilation, groups = numbers.get("dilation", 1), numbers.get("groups", 1)
    padding = {"padding": dilation * (taps // 2)} if taps > 1 else {}
    w = outputs, inputs // groups, taps, taps
    return ConvCase(name, (1, inputs, size, size), w, **padding, **numbers)


LAYERS = (
    _square("3x3 3-64 @224", 3, 64, 3, 224),
    _square("3x3 64 @224", 64, 64, 3, 224),
    _square("3x3 64 @56", 64, 64, 3, 56),
    _square("3x3 256 @14", 256, 256, 3, 14),
    _square("3x3 256 @14 plan", 256, 256, 3, 14, plan=True),
    _square("3x3 64 @56 float64", 64, 64, 3, 56, dtype="float64"),
    _square("3x3 stride 2 128 @56", 128, 128, 3, 56, stride=2),
    _square("7x7 stride 2 3-64 @224", 3, 64, 7, 224, stride=2),
    _square("1x1 64-256 @56", 64, 256, 1, 56),
    _square("1x1 512-128 @28", 512, 128, 1, 28),
    _square("3x3 dilation 2 256 @28", 256, 256, 3, 28, dilation=2),
    _square("3x3 32 groups 128 @56", 128, 128, 3, 56, groups=32),
    _square("3x3 depthwise 32 @112", 32, 32, 3, 112, groups=32),
    _square("7x7 depthwise 96 @56", 96, 96, 7, 56, groups=96),
    _square("31x31 depthwise 128 @56", 128, 128, 31, 56, groups=128),
    _square("3x3 8-16 @16", 8, 16, 3, 16),
    _square("5x5 1 @2048", 1, 1, 5, 2048),
    ConvCase("1-D 3 80-256 @3000", (1, 80, 3000), (256, 80, 3), padding=1),
    ConvCase("1-D 9 64 dilation 8 @16000", (1, 64, 16000), (64, 64, 9), padding=32, dilation=8),
    ConvCase("3-D 3^3 64 @16x28^2", (1, 64, 16, 28, 28), (64, 64, 3, 3, 3), padding=1),
)
GRADIENTS = tuple(
    _square(f"{name} {op}", *numbers, op=op, **more)
    for (name, numbers, more), op in product(
        (
            ("3x3 256 @14", (256, 256, 3, 14), {}),
            ("3x3 stride 2 128 @56", (128, 128, 3, 56), {"stride": 2}),
            ("1x1 64-256 @56", (64, 256, 1, 56), {}),
            ("3x3 depthwise 32 @112", (32, 32, 3, 112), {"groups": 32}),
        ),
        ("input_grad", "weight_grad"),
    )
)
TRANSPOSED = tuple(
    ConvCase(f"transposed {name}", x, w, "transposed", **more)
    for name, x, w, more in (
        ("4x4 stride 2 512-256 @8", (1, 512, 8, 8), (512, 256, 4, 4), {"stride": 2, "padding": 1}),
        ("2x2 stride 2 128-64 @64", (1, 128, 64, 64), (128, 64, 2, 2), {"stride": 2}),
        ("3x3 64 @56", (1, 64, 56, 56), (64, 64, 3, 3), {"padding": 1}),
        ("1-D 16 stride 8 256-128", (1, 256, 400), (256, 128, 16), {"stride": 8, "padding": 4}),
    )
)
CASES = LAYERS + GRADIENTS + TRANSPOSED
