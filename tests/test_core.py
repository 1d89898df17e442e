"""The correlate pass of the core against the reference: every argument, dtype and tiling."""

import dataclasses
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import cases
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyconvc import _core, reference

FLOATING = cases.FLOATS + cases.COMPLEXES
POISON = 0xFF  # NaN, -1; no bool at all
MARGIN = 3
LAYOUTS = ["rows", "stepped", "reversed", "fortran"]
MOST_OUTPUTS = (
    1 << 15
)  # of a problem that is drawn: with room around them, some hundred times as much


def problem(space, taps, **changes):
    """A Problem of one channel, stride 1 and no padding unless told otherwise."""
    rank = len(space)
    numbers = {"batch": 1, "groups": 1, "channels": 1, "filters": 1}
    ones = {"stride": (1,) * rank, "dilation": (1,) * rank, "padding": ((0, 0),) * rank}
    rules = {"boundary": ("constant",) * rank}
    return cases.Problem(space=space, taps=taps, **numbers | ones | rules | changes)


def output_shape(p):
    """Shape of the output, (N, G*K, *space)."""
    axes = zip(p.space, p.taps, p.stride, p.dilation, p.padding, strict=True)
    space = [reference.output_size(n, k, s, d, *pads) for n, k, s, d, pads in axes]
    return (p.batch, p.groups * p.filters, *space)


def correlate(p, x, w, y, **options):
    """The core's correlate on arrays with channels."""
    return _core.correlate(
        _core.canonical(x),
        _core.canonical(w),
        y,
        channels=True,
        stride=p.stride,
        dilation=p.dilation,
        pad_before=[before for before, _ in p.padding],
        boundary=[cases.BOUNDARIES.index(name) for name in p.boundary],
        fill=np.asarray(p.fill).astype(x.dtype.newbyteorder("=")),
        groups=p.groups,
        flip=p.flip,
        **options,
    )


def run(p, x, w, layout="rows", **options):
    """The core's result in one of LAYOUTS; what lies between and around has to stay as it is."""
    shape, dtype = output_shape(p), x.dtype.newbyteorder("=")
    step = 2 if layout == "stepped" else 1
    sizes = shape[::-1] if layout == "fortran" else shape
    room = np.full([*(n * step + 2 * MARGIN for n in sizes), dtype.itemsize], POISON, np.uint8)
    inner = tuple(slice(MARGIN, MARGIN + n * step, step) for n in sizes)
    y = room.view(dtype)[..., 0][inner]
    if layout == "fortran":
        y = y.T
    if layout == "reversed":
        y = np.flip(y)
    correlate(p, x, w, y, **options)
    result = y.copy()
    room[inner] = POISON
    assert (room == POISON).all(), f"{p} wrote beside its output, {layout}"
    return result


def expect(p, x, w, **options):
    return reference.correlate(x, w, fill=p.fill, **p.keywords, **options)


def check(p, dtype, view="contiguous", layout="rows"):
    x, w = p.arrays(dtype, view)
    got, want = run(p, x, w, layout), expect(p, x, w)
    cases.assert_same(got, want, terms=p.terms, problem=p, view=view, layout=layout)


# ---- any problem


@st.composite
def core_problems(draw):
    """Problems that also crop, and whose rows may reach over several tiles."""
    p = draw(cases.problems())
    pads = st.one_of(st.integers(-3, 3), st.integers(-3, 40))
    axes = range(len(p.space))
    padding = tuple((draw(pads), draw(pads)) for _ in axes)
    width = draw(st.one_of(st.just(p.space[-1]), st.integers(100, 700)))
    step = draw(st.sampled_from((1, 1, p.stride[-1])))
    wide = dataclasses.replace(
        p, padding=padding, space=(*p.space[:-1], width), stride=(*p.stride[:-1], step)
    )
    return wide if math.prod(output_shape(wide)) <= MOST_OUTPUTS else p


@settings(max_examples=4 * settings.default.max_examples)
@given(
    core_problems(),
    st.sampled_from(cases.DTYPES),
    st.sampled_from(sorted(cases.VIEWS)),
    st.sampled_from(LAYOUTS),
)
def test_any_problem(p, dtype, view, layout):
    check(p, dtype, view, layout)


@given(core_problems(), st.sampled_from(cases.DTYPES))
def test_bias(p, dtype):
    x, w = p.arrays(dtype)
    bias = cases.random(len(w), dtype, p.seed)
    got, want = run(p, x, w, bias=bias), expect(p, x, w, bias=bias)
    cases.assert_same(got, want, terms=p.terms + 1, problem=p)


@given(core_problems(), st.sampled_from(cases.COMPLEXES))
def test_conjugate(p, dtype):
    x, w = p.arrays(dtype)
    got, want = run(p, x, w, conjugate=True), expect(p, x, w.conj())
    cases.assert_same(got, want, terms=p.terms, problem=p)


@given(cases.problems(max_channels=1), st.sampled_from(cases.DTYPES))
def test_arrays_without_channels(p, dtype):
    p = dataclasses.replace(p, batch=1, stride=(1,) * len(p.space), dilation=(1,) * len(p.space))
    x, w = p.arrays(dtype)
    y = np.empty(output_shape(p)[2:], dtype)
    _core.correlate(
        x[0, 0],
        w[0, 0],
        y,
        pad_before=[before for before, _ in p.padding],
        boundary=[cases.BOUNDARIES.index(name) for name in p.boundary],
        fill=np.asarray(p.fill).astype(dtype),
        flip=p.flip,
    )
    cases.assert_same(y, expect(p, x, w)[0, 0], terms=p.terms, problem=p)


# ---- every tiling

TILINGS = {
    "line, several blocks": problem((40_001,), (33,), padding=((16, 16),)),
    "line, more taps than a chunk takes": problem((3001,), (1009,), padding=((600, 700),)),
    "line, many lines": problem((150, 301), (1, 5), padding=((0, 0), (2, 2))),
    "columns, several blocks": problem((5, 9001), (3, 2), padding=((1, 1), (1, 0))),
    "rows, several bands": problem((411, 37), (5, 3), padding=((2, 2), (1, 1))),
    "rows, taller than a chunk": problem((70, 300), (31, 4), padding=((15, 15), (2, 1))),
    "rows, one kernel column": problem((131, 150), (9, 1), padding=((4, 4), (0, 0))),
    "rows, wide": problem((40, 811), (5, 6), padding=((2, 2), (0, 9))),
    "3 x 3, wide": problem((52, 731), (3, 3), padding=((1, 1), (1, 1))),
    "3 x 3, narrow": problem((23, 13), (3, 3), batch=2, padding=((2, 0), (1, 0))),
    "3 x 3, dilated": problem((61, 333), (3, 3), dilation=(1, 2), padding=((1, 1), (2, 2))),
    "5 x 5, wide": problem((52, 731), (5, 5), padding=((2, 2), (2, 2))),
    "5 x 5, narrow": problem((23, 13), (5, 5), batch=2, padding=((4, 0), (1, 2))),
    "strided": problem((90, 700), (4, 5), stride=(3, 2), padding=((2, 2), (3, 3))),
    "strides with gaps": problem((40, 903), (2, 3), stride=(5, 7)),
    "phases": problem((4, 2003), (2, 9), stride=(1, 7), dilation=(1, 3)),
    "dilated far": problem((130, 260), (3, 3), dilation=(50, 60), padding=((20, 20), (70, 70))),
    "dilated rows": problem((133, 200), (4, 3), dilation=(3, 1), padding=((5, 5), (1, 1))),
    "depth": problem((9, 21, 160), (3, 4, 5), padding=((1, 1), (1, 2), (2, 2))),
    "depth, several runs": problem((75, 12, 70), (3, 3, 3), batch=2, padding=((2, 1),) * 3),
    "depth, deeper than the volume": problem(
        (4, 9, 70), (11, 3, 3), padding=((9, 5), (1, 1), (1, 1))
    ),
    "depth, dilated": problem((12, 9, 150), (3, 3, 3), dilation=(4, 2, 1), stride=(2, 1, 1)),
    "channels": problem((20, 150), (3, 3), batch=2, groups=3, channels=4, filters=5),
    "depthwise": problem((14, 200), (3, 3), groups=16, padding=((1, 1), (1, 1))),
    "planes, some at a time": problem((14, 81), (11, 3), channels=600, filters=2),
    "kernel far larger": problem((3, 4), (19, 170), padding=((25, 25), (200, 200))),
}


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64", "complex128"])
@pytest.mark.parametrize("name", TILINGS)
def test_tiling(name, dtype):
    check(TILINGS[name], dtype)


@pytest.mark.parametrize("boundary", cases.BOUNDARIES)
@pytest.mark.parametrize(
    "name",
    [
        "line, several blocks",
        "columns, several blocks",
        "strided",
        "depth",
        "depth, several runs",
        "depth, deeper than the volume",
        "dilated far",
    ],
)
def test_tiling_with_boundary(name, boundary):
    p = TILINGS[name]
    check(dataclasses.replace(p, boundary=(boundary,) * len(p.space), fill=3), "float32")


@pytest.mark.parametrize("boundary", cases.BOUNDARIES)
@pytest.mark.parametrize("n", [1, 2, 5])
def test_padding_far_larger_than_the_input(n, boundary):
    for rank in (1, 2, 3):
        p = problem(
            (n,) * rank,
            (3,) * rank,
            padding=((11, 13),) * rank,
            boundary=(boundary,) * rank,
            fill=2,
        )
        check(p, "int16")


@pytest.mark.parametrize("dtype", ["float32", "uint8", "complex128"])
@pytest.mark.parametrize("first", [0, 1])
def test_output_that_outgrows_the_cache(dtype, first):
    """Stores are then streamed, which needs aligned vectors: an output may start between two."""
    x = cases.random((1, 1, 1101, (33 << 20) // np.dtype(dtype).itemsize // 2048), dtype)
    w = cases.random((1, 1, 2, 3), dtype)
    room = np.full(x.size + 1, 7, dtype)
    y = room[first : first + x.size].reshape(x.shape)
    p = problem(x.shape[2:], (2, 3), padding=((1, 0), (1, 1)), boundary=("constant", "circular"))
    correlate(p, x, w, y)
    cases.assert_same(y, expect(p, x, w), terms=p.terms)
    assert room[-1 if first == 0 else 0] == 7


@pytest.mark.parametrize("boundary", cases.BOUNDARIES)
@pytest.mark.parametrize(
    ("width", "stride", "filters"), [(50, 1, 1), (50, 3, 4), (161_000, 1, 1), (161_000, 2, 4)]
)
def test_taps_that_lie_far_apart(width, stride, filters, boundary):
    """No samples between them are packed; lines that reach over all taps are no exception."""
    p = problem(
        (2, width),
        (2, 5),
        stride=(1, stride),
        dilation=(1, 40_000),
        padding=((1, 0), (80_003, 80_001)),
        boundary=("constant", boundary),
        filters=filters,
        fill=3,
    )
    check(p, "float32")


def test_taps_farther_apart_than_memory_is_large():
    x, w = cases.random((1, 1, 6), "float32"), cases.random((1, 1, 3), "float32")
    far = 1 << 50
    p = problem((6,), (3,), dilation=(far,), padding=((far, far),))
    np.testing.assert_array_equal(correlate(p, x, w, np.empty_like(x)), x * w[..., 1:2])


# ---- nothing to sum


@pytest.mark.parametrize("dtype", cases.DTYPES, ids=str)
def test_input_without_samples_is_all_padding(dtype):
    for space in cases.empty_shapes(2):
        check(problem(space, (2, 3), padding=((2, 1), (3, 2)), fill=3), dtype)


@pytest.mark.parametrize(
    "p",
    [
        problem((5,), (3,), batch=0),
        problem((5,), (3,), filters=0),
        problem((5,), (9,)),
        problem((0,), (1,)),
        problem((5, 4), (3, 9)),
        problem((5, 4, 3), (6, 1, 1), padding=((0, 0), (1, 1), (1, 1))),
        problem((5,), (3,), padding=((-3, -3),)),
    ],
    ids=str,
)
def test_no_outputs(p):
    check(p, "float32")
    assert output_shape(p).count(0)


# ---- the same bits

SPLIT = dataclasses.replace(TILINGS["channels"], padding=((1, 1), (1, 1)), batch=3, space=(60, 190))


@pytest.mark.parametrize("dtype", [*FLOATING, "uint16"], ids=str)
def test_workers_do_not_change_a_bit(dtype):
    x, w = SPLIT.arrays(dtype)
    one = run(SPLIT, x, w, workers=1)
    for workers in (2, 3, 5):
        assert run(SPLIT, x, w, workers=workers).tobytes() == one.tobytes()


@pytest.mark.parametrize("dtype", FLOATING, ids=str)
def test_batch_split_does_not_change_a_bit(dtype):
    x, w = SPLIT.arrays(dtype)
    whole = run(SPLIT, x, w)
    for n in range(len(x)):
        part = run(dataclasses.replace(SPLIT, batch=1), x[n : n + 1], w)
        assert part[0].tobytes() == whole[n].tobytes()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("boundary", ["constant", "circular", "reflect"])
@pytest.mark.parametrize("name", ["line, many lines", "rows, taller than a chunk", "depth"])
def test_special_values_stay_local(name, boundary, value):
    """Outputs that do not see the sample have the bits that they have without it."""
    p = TILINGS[name]
    p = dataclasses.replace(p, boundary=(boundary,) * len(p.space))
    x, w = p.arrays("float32")
    seen = x != x
    plain = run(p, x, w)
    for at in [tuple(n // 2 for n in p.space), tuple(n - 1 for n in p.space), (0,) * len(p.space)]:
        spoiled = x.copy()
        spoiled[(0, 0, *at)] = value
        got, want = run(p, spoiled, w), expect(p, spoiled, w)
        seen = ~np.isfinite(want)
        assert 0 < seen.sum() < seen.size / 2
        cases.assert_same(got[seen], want[seen])
        assert got[~seen].tobytes() == plain[~seen].tobytes()


def test_infinite_tap_meets_padding():
    p = problem((300,), (3,), padding=((1, 1),))
    x, w = p.arrays("float64")
    w[0, 0, 0] = np.inf
    got = run(p, abs(x), w)
    assert np.isnan(got[0, 0, 0])
    assert (got[0, 0, 1:] == np.inf).all()


# ---- far away

FAR = 9 << 30  # bytes: offsets that fit neither 31 nor 33 bits


@pytest.fixture
def plain(tmp_path):
    """FAR bytes of a file with holes: what is not touched takes neither memory nor disk."""
    path = tmp_path / "plain"
    yield np.memmap(path, np.uint8, "w+", shape=(FAR,)).view(np.ndarray)
    path.unlink()


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_samples_beyond_32_bits(plain, dtype):
    """A line of gigabytes, of which all but the end is cropped."""
    x = plain.view(dtype)
    end = cases.random(400, dtype)
    x[-400:] = end
    w = cases.random(5, dtype)
    y = np.empty(398, dtype)
    _core.correlate(x, w, y, pad_before=[-(len(x) - 400)])
    want = expect(problem((400,), (5,), padding=((0, 2),)), end[None, None], w[None, None])
    cases.assert_same(y, want[0, 0])


@pytest.mark.parametrize("far", ["x", "w", "y"])
@pytest.mark.parametrize("axis", range(5))
def test_steps_beyond_32_bits(plain, far, axis):
    """Two items along one axis lie gigabytes apart."""
    p = problem((3, 4, 5), (2, 2, 2), batch=2, channels=2, filters=2, padding=((1, 1),) * 3)
    x, w = p.arrays("float32")
    arrays = {"x": x, "w": w, "y": np.empty(output_shape(p), "float32")}
    arrays[far] = spread(arrays[far], plain.view("float32"), axis)
    correlate(p, *arrays.values())
    cases.assert_same(arrays["y"].copy(), expect(p, x, w), terms=p.terms)


def spread(a, room, axis):
    """A copy of `a` in `room` whose items along one axis are as far apart as there is room."""
    far = (room.nbytes - (1 << 16)) // (a.shape[axis] - 1) // a.itemsize * a.itemsize
    strides = [far if i == axis else s for i, s in enumerate(a.strides)]
    copy = np.lib.stride_tricks.as_strided(room, a.shape, strides)
    copy[...] = a
    return copy


# ---- out of bounds


def test_guard_pages():
    """Proof of what the next test relies on."""
    for at_end, offset in ((True, 8), (False, -1)):
        code = f"""if True:
            import ctypes, guard_pages
            a = guard_pages.Fenced(8).array((1,), "f8", {at_end})
            assert a[0] == 0
            ctypes.string_at(a.ctypes.data + {offset}, 1)
        """
        assert run_here("-c", code).returncode == -signal.SIGSEGV


def test_nothing_out_of_bounds_is_touched():
    result = run_here("guard_pages.py")
    assert result.stdout.endswith("done\n"), result.stdout[-200:] + result.stderr


def run_here(*arguments):
    """A Python process that imports the helpers of the tests."""
    if sys.platform != "linux":
        pytest.skip("uses mprotect as Linux has it")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, *arguments]
    folder = Path(__file__).parent
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment)


# ---- what callers must grant


def test_refused():
    x, w, y = np.ones((4, 9)), np.ones((2, 3)), np.ones((3, 7))
    refused = [
        (ValueError, (x, w, y[0]), {}),
        (ValueError, tuple(a[(None,) * 2] for a in (x, w, y)), {}),
        (ValueError, (x, w, y), {"workers": 0}),
        (ValueError, (x, w, y), {"stride": (1, 0)}),
        (ValueError, (x, w, y), {"dilation": (0, 1)}),
        (ValueError, (x, w, y), {"boundary": (5, 0)}),
        (ValueError, (x, w, y), {"boundary": (0, -1)}),
        (ValueError, (x[:0], w, y), {"pad_before": (1, 0), "boundary": (1, 0)}),
        (ValueError, (x, w[:0], y), {}),
        (ValueError, (x, w, y), {"dilation": (2**63 - 1, 9)}),
        (ValueError, (x.astype(">f8"), w, y), {}),
        (TypeError, (x.astype("f4"), w, y), {}),
        (TypeError, (x, w, y.astype("f4")), {}),
        (TypeError, (x.astype("f2"), w.astype("f2"), y.astype("f2")), {}),
        (TypeError, (x.astype(object), w.astype(object), y.astype(object)), {}),
    ]
    for error, arrays, options in refused:
        before = arrays[2].copy()
        with pytest.raises(error):
            _core.correlate(*arrays, **options)
        np.testing.assert_array_equal(arrays[2], before)


@pytest.mark.parametrize("taps", [2**57, 2**61, 2**63 - 1])
@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("kind", ["mean", "quotient"])
def test_chains_whose_buffers_could_not_be_numbered(kind, axis, taps):
    x, one = np.ones((1, 2, 3, 4)), np.ones(1)
    kernel, pad = [1, 1, 1], [0, 0, 0]
    kernel[axis], pad[axis] = taps, taps // 2
    y = np.full(x.shape, 7.0)
    with pytest.raises(ValueError, match="overflow"):
        one_pass = (kind, kernel, pad, (1, 1, 1), None, one, one)
        _core.Chain(x, y, (x, y), [one_pass], dtype="f8").run(x, y, 1)
    assert (y == 7).all()
