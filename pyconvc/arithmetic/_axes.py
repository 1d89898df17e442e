"""One int, or one int per axis: reading such arguments and giving answers in the same form.

The axes of a convolution do not interact, so every formula of this package is written for one axis
and applied to each. The *rank* is the number of axes that the sequences among the arguments name,
or None when all are plain ints; a sequence of one counts for every axis, as in PyTorch.
"""

from operator import index

_LEAST = {"output_padding": 0}


def is_sequence(value):
    """Tell one-per-axis values from single ones; a string is a single value."""
    return hasattr(value, "__len__") and not isinstance(value, str)


def rank_of(**arguments):
    """Return the number of axes the named arguments agree on; None when all are plain."""
    lengths = {name: len(value) for name, value in arguments.items() if is_sequence(value)}
    if not lengths:
        return None
    rank = max(lengths.values())
    for name, length in lengths.items():
        if length == 0 or length not in (1, rank):
            raise ValueError(
                f"{name}={arguments[name]!r} has {length} entries; "
                f"give one, or one for each of the {max(rank, 1)} axes"
            )
    return rank


def spread(value, rank):
    """Return one entry per axis from a single value or a sequence of one or `rank` entries."""
    entries = tuple(value) if is_sequence(value) else (value,)
    return entries * (rank or 1) if len(entries) == 1 else entries


def integer(name, value, least):
    """Return `value` as an int that is not below `least`, or raise naming the argument."""
    try:
        number = index(value)
    except TypeError:
        raise TypeError(f"{name}={value!r} is not an int; allowed is an int >= {least}") from None
    if number < least:
        raise ValueError(f"{name}={number} is too small; allowed is an int >= {least}")
    return number


def integers(name, value, rank, least=1):
    """Return `value` as one checked int per axis."""
    return tuple(integer(name, entry, least) for entry in spread(value, rank))


def shaped(values, rank):
    """Return per-axis answers as they were asked: a single one for plain ints, else a tuple."""
    return values[0] if rank is None else tuple(values)


def span(kernel, dilation):
    """Return how many input samples one axis of a dilated kernel reaches across."""
    return dilation * (kernel - 1) + 1


def read_axes(padding, **given):
    """Return what one call says of each axis.

    Returns
    -------
    rank : int or None
    axes : list of tuple of int
        For every axis its checked ints, in the order of `given`.
    forms : tuple
        For every axis its form of padding, unchecked.
    """
    rank = rank_of(**given, padding=padding)
    columns = (integers(name, value, rank, _LEAST.get(name, 1)) for name, value in given.items())
    return rank, list(zip(*columns, strict=True)), spread(padding, rank)
