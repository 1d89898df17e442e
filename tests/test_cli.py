"""The command line: kernels by name, files in and out, bands, mistakes, tables."""

import dataclasses
import json
import os
import subprocess
import sys

import numpy as np
import PIL.Image
import pytest
import scipy.ndimage
import scipy.signal
from isolated import run_python

import pyconvc
import pyconvc.signal
from pyconvc._cli import console, filter, images, kernels, main
from pyconvc._cli.bench import case, families, measure, table
from pyconvc._cli.bench.case import PEERS
from pyconvc._cli.bench.conv import ConvCase
from pyconvc._cli.bench.signal import SignalCase

SIZES = [((7, 9), (3, 3)), ((7, 9), (4, 2)), ((7, 9), (1, 6))]
TAPS_BEYOND_THE_PICTURE = [((5, 4), (11, 9)), ((1, 1), (3, 3))]  # no sample is valid
EXTENSIONS = {
    "fill": {"mode": "constant", "constant_values": 2.5},
    "nearest": {"mode": "edge"},
    "mirror": {"mode": "reflect"},
    "symm": {"mode": "symmetric"},
    "wrap": {"mode": "wrap"},
}
MODES = [(mode, *sizes) for mode in ("same", "full", "valid") for sizes in SIZES]
MODES += [(mode, *sizes) for mode in ("same", "full") for sizes in TAPS_BEYOND_THE_PICTURE]


@pytest.fixture
def rng():
    return np.random.default_rng(2)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty current directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments):
    """The exit code of a command line, its own or argparse's."""
    try:
        return main([str(argument) for argument in arguments])
    except SystemExit as stop:
        return stop.code


def filtered(array, kernel, *options):
    """An array after ``filter in.npy out.npy --kernel kernel``."""
    np.save("in.npy", array)
    assert run("filter", "in.npy", "out.npy", f"--kernel={kernel}", *options) == 0
    return np.load("out.npy")


def opened(name):
    """A picture file, read whole and closed."""
    with PIL.Image.open(name) as picture:
        picture.load()
        return picture


def extended_convolution(array, taps, mode, extension):
    """The array extended as numpy.pad does, its valid part, and of that what `mode` keeps."""
    padded = np.pad(array, [(size - 1, size - 1) for size in taps.shape], **extension)
    full = scipy.signal.convolve2d(padded, taps, "valid")
    keep = {
        "full": lambda size, taps: slice(None),
        "same": lambda size, taps: slice((taps - 1) // 2, (taps - 1) // 2 + size),
        "valid": lambda size, taps: slice(taps - 1, size),
    }[mode]
    return full[tuple(map(keep, array.shape, taps.shape))]


# Kernels


@pytest.mark.parametrize("sigma", [0.3, 1, 2.5])
def test_gaussian_is_that_of_ndimage(sigma):
    (taps,) = kernels.parse(f"gaussian:{sigma}").parts
    delta = np.zeros(taps.shape)
    delta[tuple(size // 2 for size in taps.shape)] = 1
    np.testing.assert_allclose(taps, scipy.ndimage.gaussian_filter(delta, sigma), atol=1e-15)


@pytest.mark.parametrize("name", ["gaussian:2", "box:3", "box:4", "motion:7", "sharpen", "emboss"])
def test_smoothing_keeps_the_mean(name):
    (taps,) = kernels.parse(name).parts
    np.testing.assert_allclose(taps.sum(), 1, rtol=1e-15)


@pytest.mark.parametrize(("name", "slope"), [("sobel-x", [0, 8]), ("sobel-y", [8, 0])])
def test_sobel_is_positive_where_the_image_grows(name, slope):
    rows, columns = np.indices((6, 5))
    for gradient, ramp in zip(slope, (rows, columns), strict=True):
        (taps,) = kernels.parse(name).parts
        result = scipy.signal.convolve2d(ramp, taps, "valid")
        np.testing.assert_array_equal(result, gradient)


def test_laplace_of_a_paraboloid():
    rows, columns = np.indices((6, 5))
    (taps,) = kernels.parse("laplace").parts
    result = scipy.signal.convolve2d(rows**2 + 3 * columns**2, taps, "valid")
    np.testing.assert_array_equal(result, 2 + 6)


def test_sharpen_subtracts_the_laplacian():
    (taps,) = kernels.parse("sharpen:0.5").parts
    np.testing.assert_array_equal(taps, [[0, -0.5, 0], [-0.5, 3, -0.5], [0, -0.5, 0]])


def test_kernel_from_numbers_and_from_file(place):
    (taps,) = kernels.parse("1, 2;-3,4e-1").parts
    np.testing.assert_array_equal(taps, [[1, 2], [-3, 0.4]])
    np.save("taps.npy", np.array([1, 2, 3], np.int16))
    np.testing.assert_array_equal(kernels.parse("taps.npy").parts[0], [[1, 2, 3]])


BAD_KERNELS = [
    ("gausian:2", "did you mean gaussian"),
    ("", "unknown kernel"),
    ("gaussian", "number from"),
    ("gaussian:", "number from"),
    ("gaussian:wide", "number from"),
    ("gaussian:nan", "number from"),
    ("gaussian:-1", "number from"),
    ("gaussian:1e9", "number from"),
    ("box", "whole number"),
    ("box:0", "whole number"),
    ("box:2.5", "whole number"),
    ("motion:1000000", "whole number"),
    ("laplace:3", "takes no number"),
    ("sobel:", "takes no number"),
    ("1,2;3", "different lengths"),
    ("1,,2", "could not convert"),
    ("1e999", "not finite"),
    ("missing.npy", "cannot read kernel"),
    ("words.npy", "real numbers"),
    ("empty.npy", "not empty"),
    ("cube.npy", "has 3 axes, what is filtered has 2"),
    ("broken.npy", "cannot read kernel"),
]


@pytest.mark.parametrize(("text", "message"), BAD_KERNELS)
def test_bad_kernel_is_a_mistake(place, text, message):
    np.save("words.npy", np.array(["a", "b"]))
    np.save("empty.npy", np.empty((0, 3)))
    np.save("cube.npy", np.ones((2, 2, 2)))
    (place / "broken.npy").write_bytes(b"\x93NUMPY\x01")
    with pytest.raises(console.UsageError, match=message):
        kernels.parse(text)


# Filtering


@pytest.mark.parametrize("height", [1, 2, 100])
@pytest.mark.parametrize("boundary", EXTENSIONS)
@pytest.mark.parametrize(("mode", "shape", "size"), MODES)
def test_bands_join_to_the_whole(place, monkeypatch, rng, mode, shape, size, boundary, height):
    monkeypatch.setattr(filter, "_band_height", lambda *_: height)
    array, taps = rng.standard_normal(shape), rng.standard_normal(size)
    np.save("taps.npy", taps)
    options = ("--mode", mode, "--boundary", boundary, "--fillvalue", "2.5")
    result = filtered(array, "taps.npy", *options)
    expected = extended_convolution(array, taps, mode, EXTENSIONS[boundary])
    np.testing.assert_allclose(result, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("height", [1, 3, 100])
@pytest.mark.parametrize(("shape", "sigma"), [((9, 8, 7), 0.8), ((5, 4, 6, 7), 0.4)])
def test_volumes_are_filtered_along_all_axes(place, monkeypatch, rng, shape, sigma, height):
    monkeypatch.setattr(filter, "_band_height", lambda *_: height)
    volume = rng.standard_normal(shape)
    smooth = scipy.ndimage.gaussian_filter(volume, sigma)
    np.testing.assert_allclose(filtered(volume, f"gaussian:{sigma}"), smooth, atol=1e-12)
    edges = np.sqrt(sum(scipy.ndimage.sobel(volume, axis) ** 2 for axis in range(volume.ndim)))
    np.testing.assert_allclose(filtered(volume, "sobel"), edges, atol=1e-10)
    laplace = scipy.ndimage.laplace(volume)
    np.testing.assert_allclose(filtered(volume, "laplace"), laplace, atol=1e-12)


def test_holes_are_left_out(place):
    volume = np.full((6, 7, 8), 3.0, np.float32)
    volume[2:4, ::2, 1::3] = np.nan
    assert np.isnan(filtered(volume, "gaussian:1")).any()
    result = filtered(volume, "gaussian:1", "--nan-policy", "omit")
    np.testing.assert_allclose(result, 3, rtol=1e-6)


def test_grey_picture_is_rounded_and_clipped(place, rng):
    grey = rng.integers(0, 256, (20, 30), dtype=np.uint8)
    PIL.Image.fromarray(grey).save("in.png")
    assert run("filter", "in.png", "out.png", "--kernel=-1,2,-1;2,-3,2;-1,2,-1") == 0
    taps = np.array([[-1, 2, -1], [2, -3, 2], [-1, 2, -1]])
    expected = scipy.signal.convolve2d(grey.astype(int), taps, "same", "symm")
    assert expected.min() < 0 < 255 < expected.max()
    np.testing.assert_array_equal(opened("out.png"), np.clip(expected, 0, 255))


def test_halves_round_to_even(place):
    result = filtered(np.array([[1, 3, 5, 7]], np.uint8), "0.5")
    np.testing.assert_array_equal(result, [[0, 2, 2, 4]])


def test_sobel_is_the_length_of_the_pair(place, rng):
    array = rng.standard_normal((8, 9))
    across, down = filtered(array, "sobel-x"), filtered(array, "sobel-y")
    np.testing.assert_allclose(filtered(array, "sobel"), np.hypot(across, down), rtol=1e-14)


@pytest.mark.parametrize(("mode", "channels"), [("RGB", 3), ("RGBA", 4), ("LA", 2)])
def test_colours_are_filtered_alone_and_alpha_copied(place, rng, mode, channels):
    samples = rng.integers(0, 256, (12, 13, channels), dtype=np.uint8)
    PIL.Image.fromarray(samples).save("in.png")
    assert run("filter", "in.png", "out.png", "--kernel", "1,0,0") == 0
    result = opened("out.png")
    assert result.mode == mode
    colours = channels - (channels % 2 == 0)
    shifted = np.concatenate([samples[:, 1:], samples[:, -1:]], axis=1)
    np.testing.assert_array_equal(np.asarray(result)[..., :colours], shifted[..., :colours])
    if colours < channels:
        np.testing.assert_array_equal(np.asarray(result)[..., -1], samples[..., -1])


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_keep_their_bits(place, rng, suffix):
    deep = rng.integers(0, 1 << 16, (9, 8), dtype=np.uint16)
    PIL.Image.fromarray(deep).save(f"in{suffix}")
    assert run("filter", f"in{suffix}", f"out{suffix}", "--kernel", "1") == 0
    np.testing.assert_array_equal(opened(f"out{suffix}"), deep)


def test_palette_and_bilevel_become_plain_samples(place):
    picture = PIL.Image.new("RGB", (6, 5), (10, 200, 30))
    picture.quantize(4).save("palette.png")
    PIL.Image.new("1", (6, 5), 1).save("bilevel.png")
    for name, mode, colour in (("palette", "RGB", (10, 200, 30)), ("bilevel", "L", 255)):
        assert run("filter", f"{name}.png", "out.png", "--kernel", "box:3") == 0
        result = opened("out.png")
        assert result.mode == mode
        assert result.getpixel((3, 2)) == colour


def test_colour_profile_and_exif_are_kept(place):
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # orientation: turned by a quarter
    PIL.Image.new("RGB", (6, 5)).save("in.jpg", exif=exif, icc_profile=b"profile", dpi=(300, 300))
    assert run("filter", "in.jpg", "out.jpg", "--kernel", "box:3") == 0
    result = opened("out.jpg")
    assert result.getexif()[0x0112] == 6
    assert result.info["icc_profile"] == b"profile"
    assert result.info["dpi"] == (300, 300)


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([-300, 300], np.int8),
        ([-1e30, 1e30], np.int64),
        ([-1e30, 1e30], np.uint64),
        ([-0.4, 0.6], bool),
        ([np.nan, np.inf], np.int16),
        ([1.5, -2.5], np.float16),
    ],
)
def test_settle(values, dtype):
    dtype = np.dtype(dtype)
    result = images.settle(np.array(values, images.working_dtype(dtype)), dtype)
    expected = {
        "int8": [-128, 127],
        "int64": [-(2**63), 2**63 - 1024],
        "uint64": [0, 2**64 - 2048],
        "bool": [False, True],
        "int16": [0, 32767],
        "float16": [1.5, -2.5],
    }[dtype.name]
    assert result.dtype == dtype
    assert result.tolist() == expected


@pytest.mark.parametrize("dtype", [">u2", "int32", "float16", "float64", "complex64", "bool"])
def test_arrays_keep_their_dtype(place, rng, dtype):
    array = rng.integers(0, 2, (5, 6)).astype(dtype)
    result = filtered(array, "0,0,1")
    assert result.dtype == np.dtype(dtype).newbyteorder("=")
    np.testing.assert_array_equal(result[:, 1:], array[:, :-1])


def test_options_of_the_result(place):
    array = np.full((4, 4), 100, np.uint8)
    np.testing.assert_array_equal(filtered(array, "1,2,1", "--normalize"), 100)
    np.testing.assert_array_equal(filtered(array, "sobel-x", "--offset", 128), 128)
    deep = filtered(array, "2,2,2", "--dtype", "float32")
    assert deep.dtype == np.float32
    np.testing.assert_array_equal(deep, 600)


def test_output_may_replace_the_input(place):
    np.save("in.npy", np.eye(3))
    assert run("filter", "in.npy", "in.npy", "--kernel", "2") == 0
    np.testing.assert_array_equal(np.load("in.npy"), 2 * np.eye(3))


@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_in_any_order(place, rng, order):
    array = np.array(rng.standard_normal((9, 8)), order=order)
    np.testing.assert_array_equal(filtered(array, "0,0,1")[:, 1:], array[:, :-1])


@pytest.mark.skipif(sys.platform != "linux", reason="asks as Linux does")
@pytest.mark.parametrize("policy", ["propagate", "omit"])
def test_volumes_larger_than_the_memory_given(place, policy):
    """50 MiB in, 50 MiB out: a band at a time."""
    code = f"""
import numpy as np
from pyconvc._cli import main

planes = np.arange(200, dtype=np.float32)[:, None, None]
def make(name, n):
    volume = np.repeat(np.repeat(planes[:n], 256, 1), 256, 2)
    volume[:, 5::9, 3] = np.nan
    np.save(name, volume)

def run(name):
    how = ["--kernel", "gaussian:0.5", "--memory", "12", "--workers", "1"]
    assert main(["filter", name, "out.npy", *how, "--nan-policy", {policy!r}]) == 0

def resident(field):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith(field))

make("small.npy", 20)
make("large.npy", 200)
run("small.npy")
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")
before = resident("VmRSS")
run("large.npy")
print(resident("VmHWM") - before)
"""
    assert int(run_python(code, place)) < 30 << 20
    result = np.load("out.npy", mmap_mode="r")
    assert result.shape == (200, 256, 256)
    np.testing.assert_allclose(
        result[:, 100, 100], scipy.ndimage.gaussian_filter1d(np.arange(200.0), 0.5), rtol=1e-5
    )
    assert np.isnan(result).any() == (policy == "propagate")


# Mistakes: exit code 2, one line, nothing written

BAD_CALLS = [
    ("missing.png out.png --kernel=box:3", "cannot read missing.png"),
    ("text.png out.png --kernel=box:3", "not a picture"),
    ("cut.png out.png --kernel=box:3", "cannot read cut.png"),
    ("text.npy out.npy --kernel=box:3", "cannot read text.npy"),
    ("words.npy out.npy --kernel=box:3", "not numbers"),
    ("empty.npy out.npy --kernel=box:3", "empty"),
    ("line.npy out.npy --kernel=box:3", "two axes or more"),
    ("frames.tif out.png --kernel=box:3", "3 frames"),
    ("grey.npy out.xyz --kernel=box:3", "no picture format"),
    ("grey.npy out --kernel=box:3", "no suffix"),
    ("grey.npy nowhere/out.npy --kernel=box:3", "cannot write nowhere/out.npy"),
    ("grey.npy folder.npy --kernel=box:3", "is a directory"),
    ("grey.npy out.npy --kernel=gausian:3", "unknown kernel"),
    ("grey.npy out.npy --kernel=box:99 --mode=valid", "exceeds the picture"),
    ("grey.npy out.npy --kernel=sobel-x --normalize", "sum to zero"),
    ("grey.npy out.npy --kernel=box:3 --workers=0", "workers"),
    ("grey.npy out.npy --kernel=box:3 --memory=0", "--memory 0: the 3 rows of a window take 1 MiB"),
    ("short.npy out.npy --kernel=box:3", "cannot read short.npy: it ends before"),
    ("grey.npy out.npy --kernel=box:3 --dtype=float65", "not a sample type"),
    ("grey.npy out.npy --kernel=box:3 --dtype=str", "cannot hold"),
    ("complex.npy out.npy --kernel=box:3 --dtype=uint8", "cannot hold"),
    ("complex.npy out.png --kernel=box:3", "cannot write out.png"),
    ("alpha.png out.jpg --kernel=box:3", "cannot write out.jpg"),
    ("alpha.png out.png --kernel=box:3 --mode=full", "keeps its size"),
    ("alpha.png out.npy --kernel=box:3 --dtype=float32", "keeps its type"),
]


@pytest.fixture
def inputs(place, rng):
    """Good and bad files, and what the directory holds with them."""
    np.save("grey.npy", rng.standard_normal((6, 7)))
    np.save("complex.npy", np.ones((6, 7), complex))
    (place / "short.npy").write_bytes((place / "grey.npy").read_bytes()[:-8])
    np.save("words.npy", np.array([["a"]]))
    np.save("empty.npy", np.empty((0, 3)))
    np.save("line.npy", np.ones(5))
    (place / "folder.npy").mkdir()
    for name in ("text.png", "text.npy"):
        (place / name).write_text("no samples in here")
    noise = rng.integers(0, 256, (40, 40, 4), dtype=np.uint8)
    PIL.Image.fromarray(noise).save("alpha.png")
    (place / "cut.png").write_bytes((place / "alpha.png").read_bytes()[:1500])
    frames = [PIL.Image.new("L", (4, 4), level) for level in range(3)]
    frames[0].save("frames.tif", save_all=True, append_images=frames[1:])
    return sorted(place.iterdir())


@pytest.mark.parametrize(("line", "message"), BAD_CALLS)
def test_mistake(inputs, place, capsys, line, message):
    assert run("filter", *line.split()) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("pyconvc: error: ")
    assert error.count("\n") == 1
    assert sorted(place.iterdir()) == inputs


@pytest.mark.parametrize(
    "line", ["", "nothing", "filter", "filter a.png b.png --kernel=box:3 --mode=around"]
)
def test_bad_usage_is_two(place, line):
    assert run(*line.split()) == 2


def test_deep_colour_is_refused_not_cut(place):
    tiles = [PIL.ImageFile._Tile("zip", (0, 0, 4, 4), 0, "RGB;16B")]
    picture = PIL.Image.new("RGB", (4, 4))
    picture.tile = tiles
    with pytest.raises(console.UsageError, match="16-bit colour"):
        images._refuse_loss("deep.png", picture)


def test_failure_leaves_the_old_file(inputs, place, monkeypatch):
    (place / "out.npy").write_text("old")

    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(pyconvc.signal, "_filter", interrupt)
    assert run("filter", "grey.npy", "out.npy", "--kernel=box:3") == 130
    assert (place / "out.npy").read_text() == "old"
    assert sorted(place.iterdir()) == sorted([*inputs, place / "out.npy"])


# info, bench, console


def test_info_in_its_own_process(place):
    command = [sys.executable, "-m", "pyconvc", "info"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    facts = dict(line.split(maxsplit=1) for line in shown.splitlines())
    assert facts["pyconvc"].startswith(pyconvc.__version__)
    assert pyconvc.isa() in facts["instruction"]
    assert f"CPUs {pyconvc._threads.explain()['CPUs']}" in facts["threads"]


@pytest.mark.parametrize("variable", ["PYCONVC_ISA", "PYCONVC_NUM_THREADS"])
def test_bad_environment_is_a_mistake(place, variable):
    command = [sys.executable, "-m", "pyconvc", "info"]
    environment = os.environ | {variable: "many"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("pyconvc: error: ")
    assert variable in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.fixture
def small_case(monkeypatch):
    case = SignalCase("small", (100,), (5,))
    monkeypatch.setattr(families, "CASES", (case,))
    return case


def test_bench_writes_what_it_shows(small_case, place, capsys):
    before = pyconvc.get_num_threads()
    line = "bench --only small --threads 1 --seconds 0 --against scipy,numpy --json rows.json"
    assert run(*line.split()) == 0
    assert pyconvc.get_num_threads() == before
    report = json.loads((place / "rows.json").read_text())
    assert report["threads"] == 1
    (row,) = report["rows"]
    assert list(row["seconds"]) == ["pyconvc", "scipy", "numpy"]
    assert row["right"]
    assert "small" in capsys.readouterr().out


def test_bench_marks_a_wrong_result(small_case, monkeypatch):
    right = pyconvc.signal.convolve
    monkeypatch.setattr(pyconvc.signal, "convolve", lambda *a, **k: right(*a, **k) * 1.001)
    row = measure.one(small_case, ["scipy"], 0)
    assert not row.right
    assert "WRONG" in table([row])[1][0][1]


def test_table_marks_losses_and_leaves_gaps():
    rows = [
        measure.Row("signal", "a", {"pyconvc": 2e-3, "scipy": 25e-3, "numpy": 1e-3}, 0, True),
        measure.Row("signal", "b", {"pyconvc": 1e-6, "scipy": 3e-6}, 0, True),
    ]
    head, body = table(rows)
    assert head == ["case", "pyconvc", "scipy", "numpy"]
    assert body == [["a", "2 ms", "12", "*0.50"], ["b", "0.001 ms", "3.00", ""]]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("bench --only (", "--only"),
        ("bench --only nosuchrow", "matches no row"),
        ("bench --against matlab", "--against matlab"),
        ("bench --only small --threads 0", "--threads 0"),
        ("bench --only small --seconds 0 --json nowhere/rows.json", "cannot write"),
        ("bench --against scipy,scypi", "--against scypi: wants some of scipy,"),
        ("bench --cases nowhere.json", "--cases nowhere.json: No such file"),
        ("bench --cases broken.json", "--cases broken.json: JSONDecodeError"),
        ("bench --cases strange.json", "--cases strange.json: KeyError: 'strange'"),
        ("bench --cases misspelt.json", "'widht'"),
    ],
)
def test_bench_mistakes(small_case, place, capsys, line, message):
    (place / "broken.json").write_text("[")
    (place / "strange.json").write_text('[{"family": "strange"}]')
    (place / "misspelt.json").write_text('[{"family": "signal", "widht": 3}]')
    assert run(*line.split()) == 2
    assert message in capsys.readouterr().err


def test_bench_needs_no_peer(small_case, place, monkeypatch, capsys):
    monkeypatch.setitem(case.PEERS, "torch", lambda: None)
    assert run("bench", "--against", "torch") == 2
    assert "--against torch: not installed" in capsys.readouterr().err
    assert run("bench", "--seconds", "0") == 0
    assert "torch" not in capsys.readouterr().out


def test_bench_reads_cases(place, capsys):
    rows = [
        {"family": "signal", "name": "line", "x": [90], "h": [5], "mode": "full"},
        {"family": "ndimage", "name": "blur", "call": "gaussian_filter", "x": [9, 8], "args": [1]},
        {"family": "conv", "name": "layer", "x": [1, 4, 9], "w": [6, 2, 3], "groups": 2},
        {"family": "pool", "name": "most", "kind": "max", "x": [1, 2, 8, 8], "kernel": 2},
    ]
    (place / "cases.json").write_text(json.dumps(rows))
    line = "bench --cases cases.json --seconds 0 --threads 1 --json rows.json"
    assert run(*line.split()) == 0
    report = json.loads((place / "rows.json").read_text())["rows"]
    assert [row["name"] for row in report] == ["line", "blur", "layer", "most"]
    assert all(row["right"] for row in report)


def small(case):
    """The same work on fewer samples."""
    least = [3 * n for n in case.h] if getattr(case, "h", None) else [40] * len(case.x)
    if case.family in ("conv", "pool"):
        taps = case.w[2:] if case.family == "conv" else [case.kernel] * 2
        wide = [case.dilation * (n - 1) + 3 for n in taps] if case.family == "conv" else taps
        least = [*case.x[:2], *wide]
    shape = tuple(min(n, limit) for n, limit in zip(case.x, least, strict=True))
    return dataclasses.replace(case, x=shape)


@pytest.mark.parametrize("case", families.CASES, ids=lambda case: case.name)
def test_case_agrees_with_every_peer(case):
    row = measure.one(small(case), PEERS, 0)
    assert row.right, row
    assert set(row.seconds) >= set(case.libraries())
    assert case.bytes > 0 <= case.flops


def test_work_of_cases():
    layer = ConvCase("layer", (2, 4, 9, 9), (6, 2, 3, 3), groups=2)
    assert layer.flops == 2 * 2 * 6 * 7 * 7 * 2 * 3 * 3
    assert layer.bytes == 4 * (2 * 4 * 81 + 6 * 2 * 9 + 2 * 6 * 49)
    back = ConvCase("back", (2, 6, 7, 7), (6, 2, 3, 3), "transposed", groups=2)
    assert (back.flops, back.bytes) == (layer.flops, layer.bytes)
    line = SignalCase("line", (10,), (3,), "complex64", mode="full")
    assert (line.flops, line.bytes) == (2 * 4 * 12 * 3, 8 * (10 + 3 + 12))


def test_turns_alternate_and_a_long_call_is_not_repeated(monkeypatch):
    now, log = [0.0], []

    def work(name, seconds):
        log.append(name)
        now[0] += seconds

    monkeypatch.setattr(measure.time, "perf_counter", lambda: now[0])
    calls = {"a": lambda: work("a", 0.5), "b": lambda: work("b", 0.25), "c": lambda: work("c", 9)}
    best = measure.take_turns(calls, 2.0)
    assert best == {"a": 0.5, "b": 0.25, "c": 9}
    assert log == ["a", "b", "c", "a", "b", *"ab" * 3]


def test_console_without_rich(monkeypatch, capsys):
    monkeypatch.setattr(console, "rich", None)
    console.show_table("Title", ["case", "ratio"], [["a", "*0.50"], ["long", "12"]])
    assert capsys.readouterr().out.splitlines() == [
        "Title",
        "case  ratio",
        "----  -----",
        "a     *0.50",
        "long  12",
    ]
    with console.progress("work", 5) as advance:
        advance()
    assert capsys.readouterr().err == ""
