"""Every dtype, mode, boundary and layout once, against the reference: run once for each tier.

Prints the tier that computed and the number of calls.
"""

import itertools

import cases
import numpy as np

import pyconvc

BOUNDARIES = dict(zip(["fill", "edge", "mirror", "symm", "wrap"], cases.BOUNDARIES, strict=True))
SHAPES = [
    ((301,), (6,)),
    ((5,), (17,)),
    ((9, 150), (4, 3)),
    ((23, 40), (9, 1)),
    ((3, 8, 70), (2, 2, 5)),
    ((3, 9000), (2, 3)),
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
    print(pyconvc.isa(), count)


if __name__ == "__main__":
    main()
