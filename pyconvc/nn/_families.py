# SPDX-License-Identifier: BSD-3-Clause
"""Functions that come once for each rank, written once."""


def named(function, name, rank):
    """A function of one rank under its public name; ``Nd`` and ``{N}`` in its text filled in."""
    function.__name__ = function.__qualname__ = name
    function.__code__ = function.__code__.replace(co_name=name)
    function.__doc__ = function.__doc__.replace("Nd", f"{rank}d").replace("{N}", str(rank))
    return function
