"""Exact linear algebra on the values of a kernel, as Python ints.

Every float is an integer over a power of two, so a kernel of floats is a kernel of integers over
one scale, and questions about its rank have exact answers. All values are Gaussian integers, pairs
(re, im), so that complex kernels need no code of their own.
"""

from math import gcd


def integer_values(kernel):
    """Return the values as Gaussian integers in row-major order, and their common scale.

    The value of entry ``n`` is ``(re[n] + im[n] * 1j) / scale``, exactly.
    """
    parts = [_ratios(kernel.real), _ratios(kernel.imag)]
    scale = max(den for part in parts for _, den in part)
    real, imag = ([num * (scale // den) for num, den in part] for part in parts)
    return list(zip(real, imag, strict=True)), scale


def _ratios(values):
    if values.dtype.kind in "biu":
        return [(int(value), 1) for value in values.flat]
    return [value.as_integer_ratio() for value in values.flat]


def primitive_row(rows):
    """Factor a matrix of rank one over the Gaussian integers.

    Returns
    -------
    multiples, row
        With ``rows[i][j] == multiples[i] * row[j]`` and the row's entries coprime; None when the
        matrix has not rank one.
    """
    pivot = next((row for row in rows if any(map(any, row))), None)
    if pivot is None:
        return None
    content = (0, 0)
    for entry in pivot:
        content = _gcd(content, entry)
    first = next(entry for entry in pivot if any(entry))
    unit = _first_quadrant(_quotient(first, content))
    base = [_times(_quotient(entry, content), unit) for entry in pivot]
    lead = next(j for j, entry in enumerate(base) if any(entry))
    multiples = [_quotient(row[lead], base[lead]) for row in rows]
    rebuilt = ([_times(multiple, entry) for entry in base] for multiple in multiples)
    return (multiples, base) if all(map(list.__eq__, rebuilt, rows)) else None


def integer_rank(rows):
    """Return the rank of a matrix of Gaussian integers, by fraction-free elimination."""
    rows, rank, previous = [list(row) for row in rows], 0, (1, 0)
    for column in range(len(rows[0]) if rows else 0):
        pivot = next((r for r in range(rank, len(rows)) if any(rows[r][column])), None)
        if pivot is None:
            continue
        rows[rank], rows[pivot] = rows[pivot], rows[rank]
        head = rows[rank]
        for r in range(rank + 1, len(rows)):
            factor = rows[r][column]
            rows[r] = [
                _quotient(_minus(_times(head[column], entry), _times(factor, above)), previous)
                for entry, above in zip(rows[r], head, strict=True)
            ]
        previous, rank = head[column], rank + 1
    return rank


def _times(a, b):
    return a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]


def _minus(a, b):
    return a[0] - b[0], a[1] - b[1]


def _quotient(a, b):
    """Return the Gaussian integer nearest to a / b; exact where b divides a."""
    norm = b[0] * b[0] + b[1] * b[1]
    real, imag = _times(a, (b[0], -b[1]))
    return (2 * real + norm) // (2 * norm), (2 * imag + norm) // (2 * norm)


def _gcd(a, b):
    if not a[1] and not b[1]:
        return gcd(a[0], b[0]), 0
    while any(b):
        a, b = b, _minus(a, _times(b, _quotient(a, b)))
    return a


def _first_quadrant(entry):
    """Return the unit that turns an entry to a positive real and no negative imaginary part."""
    return next(
        unit
        for unit in ((1, 0), (0, -1), (-1, 0), (0, 1))
        if _times(entry, unit)[0] > 0 and _times(entry, unit)[1] >= 0
    )
