"""Every argument of every public function, with what it cannot be: the error names the argument."""

import inspect
import re

import numpy as np
import pytest

import pyconvc
from pyconvc import ndimage, nn, signal
from pyconvc.nn import grad

NAN, INF = float("nan"), float("inf")
ANYTHING = object()


def ones(*shape):
    return np.ones(shape)


# ---- what each argument cannot be

NO_INT = ["x", ANYTHING, {}, NAN, INF, 1.5, 1j, 1 << 80, [[1]]]
NO_COUNT = [*NO_INT, -1]
NO_SIZES = [*NO_COUNT, [], [1] * 9, ["x"], [None], [1.5, 1], [-1, 1]]
NO_NAME = ["nonsense", 3, 1.5, ANYTHING, [], {}, ["nonsense"], np.array(["x", "y"]), b"fill"]
NO_ARRAY = ["abc", b"abc", ANYTHING, {}, {1}, [[1, 2], [3]], ["x"], np.zeros(2, "M8[s]"), [None]]
NO_FLOAT = ["x", ANYTHING, {}, [], [[1, 2], [3]], 1 << 2000]
NO_SHAPE = ["x", ANYTHING, {}, [1.5] * 4, [-1] * 4, ["x"] * 4, [1 << 80] * 4, [1] * 9, [[1]] * 4]
NO_OUT = ["x", ANYTHING, 3, [], ones(1, 1), {}]


def each(arguments, values):
    return {argument: values for argument in arguments}


WRONG = {
    **each(["stride", "dilation", "kernel_size"], [*NO_SIZES, 0]),
    **each(["groups", "upscale_factor", "downscale_factor"], [*NO_COUNT, None, 0, []]),
    **each(["padding", "output_padding"], NO_SIZES),
    **each(["in1_len", "in2_len"], [v for v in NO_INT if v != 1 << 80]),
    "axis": [*NO_INT, None, 9, -9, []],
    "axes": [*NO_INT, 9, -9, [0, 0], ["x"], [None]],
    "workers": [*(v for v in NO_INT if v != 1 << 80), [], 0, -2],
    "size": [*NO_INT, -1, 0, None, [], [1] * 9],
    "origin": [*NO_INT, 9, None, [], [1] * 9],
    "order": [*NO_COUNT, None, [], [1] * 9],
    "radius": [*NO_COUNT, [], [1] * 9],
    **each(["nan_policy", "padding_mode", "method"], [*NO_NAME, None]),
    **each(["mode", "boundary"], [*NO_NAME, None, ["wrap"] * 9]),
    **each(["accumulate", "precision"], NO_NAME),
    "sigma": [*NO_FLOAT, None, NAN, INF, -1, 1j],
    "truncate": [*NO_FLOAT, None, NAN, INF, 1j],
    **each(["cval", "value"], [*NO_FLOAT, 1j]),
    "fillvalue": [*NO_FLOAT, 1j, None],
    "min_weight": [*NO_FLOAT, None, NAN, 2, -1, 1j, np.ones(2)],
    "norm_type": [*NO_FLOAT, None, 1j],
    "divisor_override": [*NO_INT, 0, []],
    **each(["input_shape", "weight_shape", "input_size", "weight_size"], [*NO_SHAPE, 3]),
    "output_size": [v for v in NO_SHAPE if v != [-1] * 4],
    "pad": [*NO_INT, [1], [1.5, 1], [None, None], [1] * 99],
    "dtype": ["nonsense", ANYTHING, 3, "M8[s]"],
    "output": ["nonsense", ANYTHING, 3, ones(1, 1), {}],
    "out": NO_OUT,
    "mask": ["x", ANYTHING, {}, [1, 2], [[True, False], [True]], np.zeros(99, bool), 1.5],
    "bias": NO_ARRAY,
}
ARRAYS = [
    *("input", "in1", "in2", "a", "v", "weights", "weight", "grad_output", "indices"),
    *("depthwise_weight", "pointwise_weight", "vertical_weight", "horizontal_weight"),
    *("depth_weight", "height_weight", "width_weight"),
]
WRONG |= each(ARRAYS, [*NO_ARRAY, None])

FLAGS = {  # whatever has a truth value
    *("normalize", "correlation", "measure", "ceil_mode", "count_include_pad"),
    *("return_indices", "flip_filters"),
}


# ---- calls that are right


def right(module, name):
    """Arguments without which a function cannot be called."""
    if module in ("signal", "ndimage"):
        return of_filters(name)
    rank = int(found[1]) if (found := re.search(r"(\d)d", name)) else 2
    return of_gradients(name, rank) if module == "grad" else of_layers(name, rank)


def of_filters(name):
    given = {
        "correlation_lags": {"in1_len": 5, "in2_len": 3},
        "Stream": {"v": ones(3)},
        "gaussian_laplace": {"input": ones(5, 6), "sigma": 1.0},
        "gaussian_gradient_magnitude": {"input": ones(5, 6), "sigma": 1.0},
    }
    if name in given:
        return given[name]
    parameters = inspect.signature(getattr(signal, name, None) or getattr(ndimage, name)).parameters
    if "in1" in parameters:
        return {"in1": ones(5, 6), "in2": ones(3, 2)}
    return {"a": ones(5, 6), "v": ones(3)}


def of_images(name):
    given = {"input": ones(5, 6)}
    if name.endswith(("late", "volve")):
        given["weights"] = ones(3, 3)
    elif name.endswith(("late1d", "volve1d")):
        given["weights"] = ones(3)
    elif "gaussian" in name:
        given["sigma"] = 1.0
    elif name == "uniform_filter1d":
        given["size"] = 3
    return given


def of_layers(name, rank):
    space, taps = (6,) * rank, (3,) * rank
    x, w = ones(2, 4, *space), ones(4, 4, *taps)
    kernel = {"kernel_size": 2}
    given = {
        "choose": {"input_shape": x.shape, "weight_shape": w.shape},
        "plan": {"input_shape": x.shape, "weight": w},
        "channel_shuffle": {"input": x, "groups": 2},
        "pixel_shuffle": {"input": x, "upscale_factor": 2},
        "pixel_unshuffle": {"input": x, "downscale_factor": 2},
        "pad": {"input": x, "pad": [1, 1]},
        "unfold": {"input": x, **kernel},
        "fold": {"input": ones(2, 16, 9), "output_size": (6, 6), **kernel, "stride": 2},
        "flattened_conv3d": {
            "input": x,
            "depth_weight": ones(4, 4, 3, 1, 1),
            "height_weight": ones(4, 4, 1, 3, 1),
            "width_weight": ones(4, 4, 1, 1, 3),
        },
        "spatially_separable_conv2d": {
            "input": x,
            "vertical_weight": ones(4, 4, 3, 1),
            "horizontal_weight": ones(4, 4, 1, 3),
        },
    }
    if name in given:
        return given[name]
    if name.startswith("depthwise"):
        one = (1,) * rank
        return {
            "input": x,
            "depthwise_weight": ones(4, 1, *taps),
            "pointwise_weight": ones(4, 4, *one),
        }
    if name.startswith("conv"):
        return {"input": x, "weight": w}
    if name.startswith("adaptive"):
        return {"input": x, "output_size": 3}
    if name.startswith("lp"):
        return {"input": x, "norm_type": 2, **kernel}
    if name.startswith("max_unpool"):
        return {"input": x, "indices": np.zeros(x.shape, int), **kernel}
    return {"input": x, **kernel}


def of_gradients(name, rank):
    space = (6,) * rank
    x, w = ones(2, 4, *space), ones(4, 4, *(3,) * rank)
    halves, kernel = ones(2, 4, *(3,) * rank), {"kernel_size": 2}
    y = ones(2, 4, *((8 if "transpose" in name else 4),) * rank)
    if name.endswith("_bias"):
        return {"grad_output": y}
    if name.startswith("conv"):
        given = {"input_size": x.shape, "weight": w, "grad_output": y}
        if name.endswith("_weight"):
            given = {"input": x, "weight_size": w.shape, "grad_output": y}
        return given
    if name == "pad_input":
        return {"input_size": x.shape, "grad_output": ones(2, 4, 6, 8), "pad": [1, 1]}
    if name.startswith("max_unpool"):
        return {"grad_output": x, "indices": np.zeros(halves.shape, int)}
    if name.startswith("lp"):
        return {"input": x, "grad_output": halves, "norm_type": 2, **kernel}
    given = {"input_size": x.shape, "grad_output": halves}
    if name.startswith("max_pool"):
        given["indices"] = np.zeros(halves.shape, int)
    return given if name.startswith(("max", "adaptive")) else given | kernel


# ---- the functions

CALLS = [
    (module.__name__.rpartition(".")[2], name)
    for module in (signal, ndimage, nn, grad)
    for name in module.__all__
    if callable(getattr(module, name)) and name != "Plan"
]
MODULES = {"signal": signal, "ndimage": ndimage, "nn": nn, "grad": grad}
SCIPYS = RuntimeError, ZeroDivisionError, IndexError  # np.exceptions.AxisError among them


@pytest.mark.parametrize(("module", "name"), CALLS, ids=".".join)
def test_errors_name_their_argument(module, name):
    function = getattr(MODULES[module], name)
    given = of_images(name) if module == "ndimage" else right(module, name)
    function(**given)
    parameters = inspect.signature(function).parameters
    assert not set(parameters) - set(WRONG) - FLAGS - {"kwargs"}, "an argument that is not tested"
    allowed = (ValueError, TypeError, *(SCIPYS if module == "ndimage" else ()))
    nameless = []
    for argument in parameters:
        for value in WRONG.get(argument, ()):
            if not may_be(value, module, name, argument):
                nameless += complaint(function, given | {argument: value}, argument, allowed)
    assert not nameless, "\n".join(nameless)


def complaint(function, given, argument, allowed):
    """What is wrong with the error, if anything is."""
    shown = f"{argument}={given[argument]!r}"
    try:
        function(**given)
    except allowed as error:
        if re.search(rf"\b{argument}\b", str(error)):
            return []
        return [f"{shown}: {type(error).__name__}: {error}"]
    except Exception as error:
        return [f"{shown}: {type(error).__name__} is no type for it: {error}"]
    return [f"{shown}: accepted"]


EMPTY = ([], {})
BOXES = (1.5, 0, -1)
MAY_BE = [  # what is right for one function, or what another argument is wrong beside
    (r"ndimage\..*", "axes", EMPTY),
    (r"ndimage\.uniform_filter", "size", BOXES),
    (r"signal\.Stream", "axis|fillvalue", (9, -9, 1j)),  # the samples decide
    (r"(nn|grad)\..*pool.*", "stride", EMPTY),
    (r"nn\.(un)?fold", "kernel_size", (*EMPTY, [1] * 9)),  # it tells the rank
    (r"(nn|grad)\.pad.*", "pad", ({},)),
    (r"grad\.pad_input", "input_size", ({}, [1] * 9)),
]


def may_be(value, module, name, argument):
    """Whether a value is right after all."""
    return any(
        re.fullmatch(function, f"{module}.{name}")
        and re.fullmatch(arguments, argument)
        and any(type(value) is type(v) and value == v for v in values)
        for function, arguments, values in MAY_BE
    )


@pytest.mark.parametrize("name", ["convolve", "gaussian_filter"])
def test_missing_samples_of_dtypes_that_scipy_computes(name):
    given = of_images(name) | {"input": np.ones((5, 6), np.float16)}
    for how in ({"nan_policy": "omit"}, {"mask": np.zeros((5, 6), bool)}):
        with pytest.raises(TypeError, match=r"nan_policy, mask.*input.*float16"):
            getattr(ndimage, name)(**given, **how)


@pytest.mark.parametrize("value", WRONG["workers"], ids=repr)
def test_numbers_of_threads(value):
    with pytest.raises((ValueError, TypeError), match=r"\bn\b"):
        pyconvc.set_num_threads(value)
