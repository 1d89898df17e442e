"""The relationships of Dumoulin & Visin against the two general formulas."""

import itertools

import pytest
from arithmetic_cases import outcome

from pyconvc.arithmetic import (
    RELATIONSHIPS,
    conv_output_size,
    conv_transpose_output_size,
    equivalent_convolution,
    pool_output_size,
    relationship,
)

GENERAL = {  # number: (quantities that are free, the rest of the general formula's arguments)
    1: ("ik", lambda i, k: (i, k, 1, 0)),
    2: ("ikp", lambda i, k, p: (i, k, 1, p)),
    3: ("ik", lambda i, k: (i, k, 1, k // 2)),
    4: ("ik", lambda i, k: (i, k, 1, k - 1)),
    5: ("iks", lambda i, k, s: (i, k, s, 0)),
    6: ("ikps", lambda i, k, p, s: (i, k, s, p)),
    7: ("iks", lambda i, k, s: (i, k, s, 0)),
    8: ("ik", lambda i, k: (i, k, 1, 0, 0)),
    9: ("ikp", lambda i, k, p: (i, k, 1, p, 0)),
    10: ("ik", lambda i, k: (i, k, 1, k // 2, 0)),
    11: ("ik", lambda i, k: (i, k, 1, k - 1, 0)),
    12: ("iks", lambda i, k, s: (i, k, s, 0, 0)),
    13: ("iksp", lambda i, k, s, p: (i, k, s, p, 0)),
    14: ("ikspa", lambda i, k, s, p, a: (i, k, s, p, a)),
    15: ("ikpsd", lambda i, k, p, s, d: (i, k, s, p, d)),
}
RANGES = {"i": (1, 10), "k": (1, 6), "p": (0, 4), "s": (1, 4), "a": (0, 4), "d": (1, 3)}
DIRECT_PADDING = {  # p' of the direct convolution, in the quantities that are free
    8: lambda k: k - 1,
    9: lambda k, p: k - p - 1,
    10: lambda k: k // 2,
    11: lambda k: 0,
    12: lambda k, s: k - 1,
    13: lambda k, s, p: k - p - 1,
    14: lambda k, s, p, a: k - p - 1,
}


@pytest.mark.parametrize("number", range(1, 16))
def test_relationship_is_the_general_formula(number):
    letters, arguments = GENERAL[number]
    general = conv_transpose_output_size if 8 <= number <= 14 else conv_output_size
    general = pool_output_size if number == 7 else general
    agreed = 0
    for values in itertools.product(*(range(a, b + 1) for a, b in map(RANGES.get, letters))):
        said = outcome(relationship(number), *values)
        if number in (3, 10) and values[1] % 2 == 0:
            assert said == "refused"
            continue
        assert said == outcome(general, *arguments(*values)), values
        agreed += said != "refused"
    assert agreed > 25


@pytest.mark.parametrize("number", DIRECT_PADDING)
def test_relationship_names_the_direct_convolutions_padding(number):
    letters, arguments = GENERAL[number]
    for values in itertools.product(*(range(a, b + 1) for a, b in map(RANGES.get, letters))):
        size = outcome(relationship(number), *values)
        if size == "refused":
            continue
        direct = equivalent_convolution(*arguments(*values))
        extra = values[-1] if number == 14 else 0
        padding = DIRECT_PADDING[number](*values[1:])
        assert direct.padding == (padding, padding + extra)
        assert direct.stretched + sum(direct.padding) - values[1] + 1 == size


def test_transposed_relationships_invert_their_conditions():
    """12 to 14: from the convolution's output and its remainder comes its input size."""
    for i, k, s, p in itertools.product(range(1, 12), range(1, 5), range(1, 4), range(3)):
        if i + 2 * p < k:
            continue
        output, remainder = relationship(6)(i, k, p, s), (i + 2 * p - k) % s
        assert relationship(14)(output, k, s, p, remainder) == i
        if remainder == 0:
            assert relationship(13)(output, k, s, p) == i
            assert p or relationship(12)(output, k, s) == i


def test_relationships_are_fifteen_with_words():
    assert list(RELATIONSHIPS) == list(range(1, 16))
    assert all(r.words.endswith(".") and r.formula and r.conditions for r in RELATIONSHIPS.values())
    assert len({r.name for r in RELATIONSHIPS.values()}) == 15
    with pytest.raises(ValueError, match=r"number=16 .* 1 to 15"):
        relationship(16)
