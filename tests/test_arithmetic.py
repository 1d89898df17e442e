"""The examples in the docstrings and on the docs page run; bad input is named."""

import doctest
import importlib
import pkgutil
from pathlib import Path

import pytest

from pyconvc import arithmetic
from pyconvc.arithmetic import (
    adaptive_windows,
    conv_output_size,
    conv_transpose_output_size,
    gridding,
    output_padding_for,
    overlap_map,
    pool_output_size,
    relationship,
    unfold_blocks,
)

PAGE = Path(__file__).parent.parent / "docs" / "arithmetic.rst"


def modules():
    names = [found.name for found in pkgutil.iter_modules(arithmetic.__path__)]
    return [importlib.import_module(f"pyconvc.arithmetic.{name}") for name in names]


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.__name__)
def test_docstring_examples(module):
    assert doctest.testmod(module).failed == 0


def test_every_public_function_has_an_example():
    functions = [getattr(arithmetic, name) for name in arithmetic.__all__]
    functions = [f for f in functions if callable(f) and not isinstance(f, type)]
    assert len(functions) > 20
    assert [f.__name__ for f in functions if ">>> " not in f.__doc__] == []


def test_page_examples():
    results = doctest.testfile(str(PAGE), module_relative=False)
    assert results.attempted > 20
    assert results.failed == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: conv_output_size(0, 3), "input=0 is too small; allowed is an int >= 1"),
        (lambda: conv_output_size(5, 0), "kernel=0"),
        (lambda: conv_output_size(5, 3, stride=0), "stride=0"),
        (lambda: conv_output_size(5, 3, dilation=-1), "dilation=-1"),
        (lambda: conv_output_size(5, 3, padding=-1), "padding=-1 is too small"),
        (lambda: conv_output_size(5, 3, padding=((1, -2),)), "padding=-2"),
        (lambda: conv_output_size(5, 3, padding="SAME"), "padding='SAME' is unknown; .*'causal'"),
        (lambda: conv_output_size((5, 5), (3, 3, 3)), r"input=\(5, 5\) has 2 entries; .* 3 axes"),
        (lambda: conv_output_size((), 3), r"input=\(\) has 0 entries"),
        (lambda: conv_output_size((5, 5), 3, padding=((1, 2, 3), (1, 1))), "3 entries; a pair"),
        (lambda: conv_output_size((9, 4), 5), r"axis 1.*floor\(\(4 \+ 0 \+ 0 - 5\) / 1\) \+ 1 = 0"),
        (lambda: pool_output_size(9, 3, padding=2), r"at most half .* 3 // 2 = 1"),
        (lambda: pool_output_size(9, 3, padding="full"), "at most half"),
        (lambda: pool_output_size(1, 3, 2, ceil_mode=True), r"ceil\(\(1 \+ 0 \+ 0 - 3\) / 2\)"),
        (lambda: unfold_blocks((1, 6), (2, 3)), "kernel=2 .* axis 0"),
        (lambda: conv_transpose_output_size(3, 3, 2, 1, 2), "output_padding=2 .* stride=2"),
        (lambda: conv_transpose_output_size(3, 3, 2, 1, -1), "output_padding=-1"),
        (lambda: conv_transpose_output_size(1, 2, 1, 1), r"\(1 - 1\) \* 1 \+ 2 - 1 - 1 \+ 0 = 0"),
        (lambda: output_padding_for(9, 3, 3, 2, 1), "come the sizes 5 to 6"),
        (lambda: output_padding_for((5, 9), 3, 3, 2, 1), "output_size=9 .* axis 1"),
        (lambda: output_padding_for(1, 1, 2, 1, 5), "no sizes at all"),
        (lambda: gridding(()), "dilations is empty"),
        (lambda: gridding((1, 0)), "dilations=0"),
        (lambda: gridding((1, 2), kernel=0), "kernel=0"),
        (lambda: overlap_map(3, 2, padding=20, input=2), "crops everything"),
        (lambda: adaptive_windows(5, -1), "output=-1"),
        (lambda: relationship(3)(5, 4), "kernel=4 is even"),
        (lambda: relationship(6)(2, 5, 1, 1), r"2 \+ 2 \* 1 = 4"),
        (lambda: relationship(14)(3, 3, 2, 1, 2), "remainder=2 is no remainder of stride=2"),
        (lambda: relationship(11)(2, 5), "padding=4 crops everything"),
    ],
)
def test_errors_name_the_argument_its_value_and_what_is_allowed(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("value", [2.0, "3", None, 1j])
def test_sizes_are_ints(value):
    for arguments in ((value, 3), (5, value), (5, 3, value), (5, 3, 1, 0, value)):
        with pytest.raises(TypeError, match="is not an int; allowed is an int >= 1"):
            conv_output_size(*arguments)
