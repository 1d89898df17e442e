"""Figures on speed, from the tables that benchmarks/performance.py wrote to docs/performance."""

import csv
from pathlib import Path

import arithmetic_draw
import matplotlib.pyplot as plt
import numpy as np
from arithmetic_draw import FAINT, INK
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

TABLES = Path(arithmetic_draw.__file__).parents[1] / "performance"
# Colours that stay apart for all kinds of sight (Okabe & Ito 2008), a mark and a name for a line.
LINES = {
    "pyconvc": ("#0072b2", "o", "pyconvc"),
    "scipy": ("#d55e00", "s", "SciPy"),
    "opencv": ("#009e73", "^", "OpenCV"),
    "torch": ("#cc79a7", "D", "PyTorch"),
    "onnxruntime": ("#b8860b", "v", "ONNX Runtime"),
    "direct": ("#56b4e9", "^", "pyconvc, direct"),
    "fft": ("#009e73", "v", "pyconvc, fft"),
}
KINDS = {
    "conv": ("#0072b2", "o", "layers"),
    "gradients": ("#009e73", "D", "gradients and transposed layers"),
    "signal": ("#d55e00", "s", "filters, scipy.signal"),
    "ndimage": ("#cc79a7", "^", "filters, scipy.ndimage"),
}
OTHERS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b")
MARKS = "osD^v"


def read(name):
    """Rows of a table."""
    with (TABLES / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def axes_of(xlabel, ylabel, *, width=7.0, height=4.2):
    """Logarithmic axes with a light grid."""
    _, axes = plt.subplots(figsize=(width, height), layout="constrained")
    axes.set(xscale="log", yscale="log")
    axes.set_xlabel(xlabel, color=INK)
    axes.set_ylabel(ylabel, color=INK)
    axes.grid(color="#e3e6ea", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(FAINT)
    axes.tick_params(which="both", color=FAINT, labelcolor=INK, labelsize=9)
    axes.tick_params(which="minor", length=0)
    return axes


def legend(axes, **where):
    """The names of the lines."""
    axes.legend(frameon=False, fontsize=9, labelcolor=INK, handlelength=2.2, **where)


def curves(axes, sweep, per=lambda number: 1):
    """A line for each library or method; `per` divides the nanoseconds."""
    rows = [row for row in read("sweeps") if row["sweep"] == sweep]
    for name, (colour, mark, label) in LINES.items():
        points = [
            (int(row["number"]), float(row["seconds"])) for row in rows if row["line"] == name
        ]
        if not points:
            continue
        number, seconds = np.array(sorted(points)).T
        ours = name == "pyconvc"
        axes.plot(
            number,
            1e9 * seconds / per(number),
            color=colour,
            marker=mark,
            markersize=5.5 if ours else 4.5,
            linewidth=2.4 if ours else 1.4,
            label=label,
            zorder=3 if ours else 2,
        )
    return sorted({int(row["number"]) for row in rows})


def roofline():
    """What each row reaches, under what the machine allows."""
    axes = axes_of("operations for each byte of the arrays (FLOP/B)", "speed (GFLOP/s)", height=4.6)
    rates = {row["limit"]: float(row["rate"]) / 1e9 for row in read("limits")}
    rows = [row for row in read("rows") if row["library"] == "pyconvc" and single(row)]
    work = np.array([[float(row[k]) for k in ("flops", "bytes", "seconds")] for row in rows])
    across, rate = work[:, 0] / work[:, 1], work[:, 0] / work[:, 2] / 1e9
    span = np.geomspace(min(0.6, across.min() / 1.6), across.max() * 1.6, 500)
    for place, style in (("memory", "-"), ("cache", (0, (4, 2)))):
        roof = np.minimum(span * rates[place], rates["float32"])
        axes.plot(span, roof, color=INK, linewidth=1.4, linestyle=style, label=f"limit, {place}")
    kinds = np.array([kind_of(row) for row in rows])
    fewer = np.array([row["method"] != "direct" for row in rows])
    dots = {"s": 36, "zorder": 3, "linewidth": 1.3}
    for kind, (colour, mark, label) in KINDS.items():
        for some, face, name in ((~fewer, colour, label), (fewer, "white", None)):
            at = (kinds == kind) & some
            style = {"facecolor": face, "edgecolor": colour, "marker": mark, "label": name}
            axes.scatter(across[at], rate[at], **style, **dots)
    axes.scatter([], [], facecolor="white", edgecolor=INK, label="by fewer operations", **dots)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(plain))
    axes.set_xlim(span[0], span[-1])
    legend(axes, loc="lower right")


def single(row):
    """Whether it is a sum in float32, and not by transforms, which count in another way."""
    other = any(dtype in row["name"] for dtype in ("float64", "int", "complex"))
    return float(row["flops"]) and row["method"] != "fft" and not other


def kind_of(row):
    """The group of a row in the roofline."""
    words = row["name"].split()
    backward = {"transposed", "input_grad", "weight_grad"} & set(words)
    return "gradients" if backward else row["family"]


def images():
    """A filter by the size of the image."""
    axes = axes_of("side of the image (samples)", "time for each sample (ns)")
    numbers = curves(axes, "images", lambda side: side.astype(float) ** 2)
    doubling(axes, numbers)
    legend(axes)


def channels():
    """A layer by its channels."""
    axes = axes_of("channels in and out", "time (ms)")
    numbers = curves(axes, "channels", lambda number: 1e6)
    doubling(axes, numbers)
    legend(axes)


def taps():
    """A line by the taps of the kernel."""
    axes = axes_of("taps", "time (ms)")
    curves(axes, "taps", lambda number: 1e6)
    axes.xaxis.set_major_locator(LogLocator(numticks=8))
    axes.yaxis.set_major_formatter(FuncFormatter(plain))
    legend(axes)


def workers():
    """What more threads gain."""
    rows = [row for row in read("sweeps") if row["sweep"] == "workers"]
    axes = axes_of("threads", "speed over that of one thread")
    most = max(int(row["number"]) for row in rows)
    counts = np.arange(1, most + 1)
    axes.plot(counts, counts, color=FAINT, linestyle=(0, (4, 2)), label="as many times")
    for i, name in enumerate(dict.fromkeys(row["line"] for row in rows)):
        mine = [row for row in rows if row["line"] == name]
        number = np.array([int(row["number"]) for row in mine])
        seconds = np.array([float(row["seconds"]) for row in mine])
        style = {"color": OTHERS[i % 5], "marker": MARKS[i % 5], "linewidth": 1.8}
        axes.plot(number, seconds[0] / seconds, label=name, markersize=5, **style)
    axes.set(xscale="linear", yscale="linear", ylim=(0, None))
    axes.set_xticks(counts[:: -(-most // 16)])
    legend(axes, loc="upper left")


def doubling(axes, numbers):
    """Name the powers of two below, and plain numbers beside."""
    axes.set_xticks(numbers, [str(number) for number in numbers])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(plain))
    axes.yaxis.set_minor_formatter(NullFormatter())


def plain(value, _position):
    """A number without an exponent."""
    return f"{value:g}"
