"""What all functions of pyconvc.ndimage begin with."""

import functools
import inspect

from .. import _check, _core, _missing, _scipy, _threads
from . import _arguments


def public(function):
    """What all functions begin with: the input as an array, threads, precision.

    Input of a dtype that the kernels have not (object, longdouble, float16) goes to scipy's own
    function.
    """

    @functools.wraps(function)
    def call(input, *args, workers=None, precision=None, **kwargs):
        (input,) = _check.numeric(input=input)
        workers, precision = _threads.resolve(workers), _arguments.precision(precision)
        if not _core.serves(input.dtype.newbyteorder("=")):
            if "missing" in kwargs:
                raise TypeError(f"nan_policy, mask: not for input of dtype {input.dtype}")
            return _scipy.ndimage(function.__name__)(input, *args, **kwargs)
        return function(input, *args, workers=workers, precision=precision, **kwargs)

    return call


def omitting(function):
    """`public`, with the arguments that say what is missing, of which the function gets one."""
    plain = public(function)

    @functools.wraps(function)
    def call(
        input,
        *args,
        nan_policy="propagate",
        mask=None,
        min_weight=0.0,
        normalize=True,
        **kwargs,
    ):
        (input,) = _check.numeric(input=input)
        missing = _missing.wanted(input, "input", nan_policy, mask, min_weight, normalize)
        if missing:
            _missing.check_input(input)
            kwargs["missing"] = missing
        return plain(input, *args, **kwargs)

    call.__signature__ = _told(
        inspect.signature(function), inspect.signature(call, follow_wrapped=False)
    )
    return call


def _told(own, arguments):
    """The function's signature with the arguments that `missing` is made of in its place."""
    made_of = [arguments.parameters[n] for n in ("nan_policy", "mask", "min_weight", "normalize")]
    parameters = []
    for parameter in own.parameters.values():
        parameters += made_of if parameter.name == "missing" else [parameter]
    return own.replace(parameters=parameters)
