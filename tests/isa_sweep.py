"""Every dtype, mode, boundary and layout once, against the reference: run once for each tier.

Prints the tier that computed and the number of calls.
"""

import itertools

import cases
import numpy as np
from nn_cases import MANY_CHANNELS

import pyconvc
from pyconvc import nn
from pyconvc.reference import nn as reference

BOUNDARIES = dict(zip(["fill", "edge", "mirror", "symm", "wrap"], cases.BOUNDARIES, strict=True))
SHAPES = [
    ((301,), (6,)),
    ((5,), (17,)),
    ((9, 150), (4, 3)),
    ((23, 40), (9, 1)),
    ((3, 8, 70), (2, 2, 5)),
    ((3, 9000), (2, 3)),
]
NDIMAGE_DTYPES = [*cases.INTEGERS, *cases.FLOATS, *cases.COMPLEXES]
NDIMAGE_CALLS = [
    ("gaussian_filter", (1.5,)),
    ("uniform_filter", (9,)),
    ("uniform_filter", (33,)),
    ("correlate", (np.arange(24.0).reshape(2, 3, 4),)),
    ("sobel", ()),
]


def main():
    calls = itertools.product(cases.DTYPES, cases.MODES, BOUNDARIES, SHAPES)
    views = itertools.cycle(cases.VIEWS)
    count = 0
    for (dtype, mode, boundary, shapes), view in zip(calls, views, strict=False):
        rng = np.random.default_rng(count)
        a, b = (cases.VIEWS[view](rng, shape, dtype) for shape in shapes)
        for name in ("convolve", "correlate"):
            got = getattr(pyconvc, name)(a, b, mode, "direct", boundary=boundary, fillvalue=2)
            twin = getattr(pyconvc.reference.signal, name)
            want = twin(a, b, mode, boundary=BOUNDARIES[boundary], fillvalue=2)
            cases.assert_same(
                got, want, terms=b.size, name=name, mode=mode, boundary=boundary, view=view
            )
            count += 1
    for dtype, (name, (x_shape, w_shape, options)) in itertools.product(
        cases.DTYPES, MANY_CHANNELS.items()
    ):
        x, w = cases.random(x_shape, dtype), cases.random(w_shape, dtype, 1)
        function = f"conv_transpose{x.ndim - 2}d"
        y = getattr(nn, function)(x, w, **options)
        want = getattr(reference, function)(x, w, **options)
        cases.assert_same(y, want, terms=w[:, 0].size, name=name)
        options = {k: v for k, v in options.items() if k != "output_padding"}
        got, want = (
            getattr(module.grad, function + "_weight")(x, w_shape, y, **options)
            for module in (nn, reference)
        )
        cases.assert_same(got, want, terms=x.size, scale=np.abs(want).max(), name=name)
        count += 2
    for dtype, boundary in itertools.product(NDIMAGE_DTYPES, ["reflect", "constant", "wrap"]):
        x = 100 * cases.values(np.random.default_rng(count), (11, 23, 150), float)
        x = (np.abs(x) if dtype.kind == "u" else x).astype(dtype)
        for name, args in NDIMAGE_CALLS:
            got = getattr(pyconvc.ndimage, name)(x, *args, mode=boundary)
            want = getattr(pyconvc.reference.ndimage, name)(x, *args, mode=boundary)
            cases.assert_same(got, want, terms=200, name=name, boundary=boundary)
            count += 1
    print(pyconvc.isa(), count)


if __name__ == "__main__":
    main()
