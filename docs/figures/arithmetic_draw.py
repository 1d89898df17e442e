"""The few marks that all figures on convolution arithmetic are drawn with: cells, links, measures.

Everything is drawn in units of one sample, with y growing downwards, so that a figure reads like
the array it shows.
"""

import matplotlib.pyplot as plt
from matplotlib.patches import Rectangle

INK = "#2f3640"
FAINT = "#9aa3ad"
INPUT = "#a9cdec"
PADDING = "#f1f3f5"
TAP = "#f6a04d"
OUTPUT = "#9ad3a0"
PAINT = ("#f6a04d", "#7fb3e0", "#c9a0dc", "#8ccf95", "#e88c8c")


def sheet(width, height, *, left=0.0, top=0.0, inches=0.36):
    """Return axes that show `width` by `height` samples and nothing else."""
    return sheets(1, width, height, left=left, top=top, inches=inches)[0]


def sheets(count, width, height, *, left=0.0, top=0.0, inches=0.36):
    """Return `count` sheets side by side."""
    figure = plt.figure(figsize=(count * width * inches, height * inches))
    places = [figure.add_axes((place / count, 0, 1 / count, 1)) for place in range(count)]
    for axes in places:
        frame(axes, width, height, left=left, top=top)
    return places


def panels(count, size, *, inches=2.3, gap=0.25):
    """Return `count` axes side by side, each for `size` by `size` cells under a title."""
    figure, axes = plt.subplots(
        1, count, figsize=(count * inches + (count - 1) * gap, inches + 0.5), squeeze=False
    )
    figure.subplots_adjust(left=0.01, right=0.99, top=0.84, bottom=0.01, wspace=gap / inches)
    for panel in axes[0]:
        frame(panel, size * 1.02, size * 1.02, left=-size * 0.01, top=-size * 0.01)
    return axes[0]


def frame(axes, width, height, *, left=0.0, top=0.0):
    """Let the axes show a rectangle of samples, without ticks, y downwards."""
    axes.set(xlim=(left, left + width), ylim=(top + height, top), aspect="equal")
    axes.axis("off")


def cell(axes, x, y, fill, text="", *, size=1.0, dashed=False, ink=INK, fontsize=9):
    """Draw one sample with its top left at (x, y)."""
    inset = (1 - size) / 2
    axes.add_patch(
        Rectangle(
            (x + inset, y + inset),
            size,
            size,
            facecolor=fill,
            edgecolor=FAINT if dashed else ink,
            linestyle=(0, (2, 2)) if dashed else "-",
            linewidth=0.9,
        )
    )
    axes.text(x + 0.5, y + 0.53, text, ha="center", va="center", color=ink, fontsize=fontsize)


def row(axes, x, y, fill, texts, **style):
    """Draw samples side by side."""
    for offset, text in enumerate(texts):
        cell(axes, x + offset, y, fill, text, **style)


def grid(axes, values, fill, *, x=0, y=0, fontsize=9):
    """Draw a matrix of numbers; `fill` is a colour, or gives one for a value."""
    for down, line in enumerate(values):
        for across, value in enumerate(line):
            colour = fill(value) if callable(fill) else fill
            cell(axes, x + across, y + down, colour, f"{value}", fontsize=fontsize)


def label(axes, x, y, text, *, align="left", colour=INK, fontsize=9.5, **style):
    """Write at the height of the samples that start at y."""
    axes.text(x, y + 0.53, text, ha=align, va="center", color=colour, fontsize=fontsize, **style)


def link(axes, start, end, *, colour=FAINT, width=0.9, arrow=False):
    """Draw a line between two points, with a head when it says where something goes."""
    style = {"arrowstyle": "-|>" if arrow else "-", "color": colour, "linewidth": width}
    style |= {"shrinkA": 0, "shrinkB": 0, "mutation_scale": 8}
    axes.annotate("", xy=end, xytext=start, arrowprops=style)


def measure(axes, start, end, y, text, *, colour=INK):
    """Draw a measure from x = start to x = end, with its text below."""
    style = {"arrowstyle": "|-|, widthA=0.25, widthB=0.25", "color": colour, "linewidth": 0.9}
    axes.annotate(
        "", xy=(end, y), xytext=(start, y), arrowprops={**style, "shrinkA": 0, "shrinkB": 0}
    )
    axes.text((start + end) / 2, y + 0.14, text, ha="center", va="top", color=colour, fontsize=8.5)


def padded_input(axes, y, size, pair, *, unused=0):
    """Draw an input that starts at x = 0, numbered, in its padding; the last may go unused."""
    before, after = pair
    row(axes, -before, y, PADDING, [""] * before, dashed=True, ink=FAINT)
    row(axes, size, y, PADDING, [""] * after, dashed=True, ink=FAINT)
    row(axes, 0, y, INPUT, [str(index) for index in range(size)])
    for back in range(unused):
        x = size + after - 1 - back
        axes.plot([x + 0.15, x + 0.85], [y + 0.85, y + 0.15], color="#c0392b", linewidth=1.6)


def window(axes, x, y, kernel, dilation, *, names=None, fill=TAP):
    """Draw the taps of a kernel whose first one is at x, joined by a line."""
    reach = dilation * (kernel - 1)
    axes.plot([x + 0.5, x + reach + 0.5], [y + 0.5] * 2, color=fill, linewidth=2, zorder=0)
    for tap in range(kernel):
        cell(axes, x + tap * dilation, y, fill, names[tap] if names else "", size=0.74)
