"""Winograd's method in every tile, dtype and rule once: run once for each tier.

Prints the tier that computed and the number of calls.
"""

import itertools

import cases
from nn_cases import MODES
from test_winograd import STRIDED, adjoint_tiles_of, strided, tiles_of

import pyconvc
from pyconvc import nn
from pyconvc.reference import nn as reference

SHAPES = [
    ((1, 3, 5, 6), (7, 3, 3, 3)),
    ((2, 4, 30, 41), (10, 2, 3, 3)),
    ((2, 140, 9, 8), (6, 140, 3, 3)),
    ((1, 18, 7, 9), (19, 18, 3, 3)),
    ((1, 5, 2, 77), (3, 5, 1, 3)),
    ((1, 18, 2, 30), (19, 18, 1, 3)),
    ((1, 5, 4, 9, 14), (6, 5, 3, 3, 3)),
    ((1, 19, 14, 21), (18, 19, 5, 7)),
    ((1, 19, 40), (18, 19, 5)),
    ((2, 3, 21, 9), (9, 3, 4, 1)),
    ((2, 6, 95), (12, 3, 3)),
    ((1, 20, 60), (9, 20, 11)),
    ((1, 8, 12, 11), (20, 8, 6, 3)),
]


def main():
    count = 0
    choices = itertools.product(cases.FLOATS, SHAPES, (2, 3, 4), MODES, (False, True))
    for dtype, (x, w), tile, mode, flip in choices:
        x, w = cases.random(x, dtype, count), cases.random(w, dtype, count + 1)
        ours, plain = (cases.of_rank(module, "conv", x.ndim - 2) for module in (nn, reference))
        options = {"padding": (2, 1, 2)[5 - x.ndim :], "padding_mode": mode, "flip_filters": flip}
        options["groups"] = x.shape[1] // w.shape[1]
        if x.ndim == 4 and mode == "zeros":
            options["dilation"] = (2, 8 if x.shape[3] > 40 else 3) if flip else 1
        if w.shape[2:] == (3,) and mode == "zeros":
            options["dilation"] = 13 if flip else 8
        if w.shape[2:] in ((3, 3), (3, 3, 3)) and mode != "zeros" and tile != 3:
            options["stride"] = 2 if flip else 1
        with tiles_of(tile):
            got = ours(x, w, **options, method="winograd")
        want = plain(x, w, **options)
        cases.assert_same(got, want, terms=20 * w[0].size, tile=tile, options=options)
        count += 1
    for dtype, (size, channels, taps, options) in itertools.product(cases.FLOATS, STRIDED):
        x, w = strided(size, channels, taps, dtype)
        ours, plain = (cases.of_rank(m, "conv_transpose", len(size)) for m in (nn, reference))
        with adjoint_tiles_of(4):
            got = ours(x, w, **options)
        cases.assert_same(got, plain(x, w, **options), terms=20 * w[:, 0].size, options=options)
        count += 1
    print(pyconvc.isa(), count)


if __name__ == "__main__":
    main()
