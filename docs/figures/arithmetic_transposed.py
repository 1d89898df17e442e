"""Figures on transposed convolution: painting, cropping, output_padding, checkerboards."""

from arithmetic_draw import (
    FAINT,
    INPUT,
    OUTPUT,
    PADDING,
    PAINT,
    cell,
    grid,
    label,
    link,
    panels,
    row,
    sheet,
)
from matplotlib import colormaps

from pyconvc.arithmetic import equivalent_convolution, overlap_map, transpose_sizes


def paint():
    """Every input paints the whole kernel; what overlaps adds up; padding crops."""
    input, kernel, stride, padding = 4, 3, 2, 1
    (counts,) = overlap_map(kernel, stride, input=input).axes
    axes = sheet(21, 9.4, left=-6.5, top=-1.9)
    label(axes, -1, -1.75, "input", align="right")
    label(axes, -1, 1.4, "what each one paints", align="right")
    label(axes, -1, 4.75, "sum", align="right")
    label(axes, -1, 6.25, f"cropped by padding {padding}", align="right")
    for sample in range(input):
        x, y, colour = sample * stride, 0.2 + 0.95 * sample, PAINT[sample]
        cell(axes, x + 1, -1.75, colour, f"x{sample}")
        link(axes, (x + 1.5, -0.7), (x + 1.5, y - 0.02), arrow=True)
        row(axes, x, y, colour, [f"x{sample}·{name}" for name in "abc"], size=0.9, fontsize=7.5)
    row(axes, 0, 4.75, INPUT, [str(count) for count in counts])
    label(axes, len(counts) + 0.4, 4.75, "contributions", colour=FAINT)
    kept = range(padding, len(counts) - padding)
    for place in range(len(counts)):
        inside = place in kept
        text = f"y{place - padding}" if inside else ""
        cell(axes, place, 6.25, OUTPUT if inside else PADDING, text, dashed=not inside)


def output_padding():
    """The crop's right edge moves: samples come back, zeros are not appended."""
    input, kernel, stride, padding = 4, 3, 2, 1
    (counts,) = overlap_map(kernel, stride, input=input).axes
    sizes = transpose_sizes(input, kernel, stride, padding)
    axes = sheet(22.5, 5.1 + 1.5 * len(sizes), left=-7.5, top=-0.6)
    label(axes, -0.6, -0.3, "all that is painted", align="right")
    row(axes, 0, -0.3, INPUT, ["x0a", "x0b", "+", "x1b", "+", "x2b", "+", "x3b", "x3c"], fontsize=7)
    for number, size in enumerate(sizes):
        y = 1.5 * (number + 1)
        label(axes, -0.6, y, f"output_padding={size.output_padding}", align="right")
        for place in range(len(counts)):
            inside = padding <= place < padding + size.size
            cell(axes, place, y, OUTPUT if inside else PADDING, dashed=not inside)
        label(axes, len(counts) + 0.5, y, f"output {size.size}", colour="#3d8b47")
    bare = 1.5 * (len(sizes) + 1) + 0.6
    label(axes, -0.6, bare, "padding=0, output_padding=1", align="right")
    row(axes, 0, bare, OUTPUT, [""] * len(counts))
    cell(axes, len(counts), bare, "#e4f3e6", "0")
    label(axes, len(counts) + 1.5, bare, "beyond all paint", colour=FAINT)


def stretched():
    """The same by a direct convolution: zeros between, zeros around, the kernel turned."""
    input, kernel, stride, padding = 4, 3, 2, 1
    direct = equivalent_convolution(input, kernel, stride, padding)
    before, after = direct.padding
    axes = sheet(21, 4.6, left=-6.5, top=-0.4)
    label(axes, -before - 0.6, 0, "stretched and padded", align="right")
    row(axes, -before, 0, PADDING, ["0"] * before, dashed=True, ink=FAINT)
    for place in range(direct.stretched):
        real = place % stride == 0
        text = f"x{place // stride}" if real else "0"
        cell(axes, place, 0, PAINT[place // stride] if real else PADDING, text)
    row(axes, direct.stretched, 0, PADDING, ["0"] * after, dashed=True, ink=FAINT)
    label(axes, -before - 0.6, 1.25, "the kernel, turned", align="right")
    row(axes, 1 - before, 1.25, "#ffffff", ["c", "b", "a"], size=0.78)
    label(axes, -before - 0.6, 2.8, "output", align="right")
    row(axes, 0, 2.8, OUTPUT, [f"y{place}" for place in range(direct.output)])
    link(axes, (1.5, 2.15), (1.5, 2.75), arrow=True)


def checkerboard():
    """Contributions to every output of a plane."""
    cases = [(3, 2, 4), (4, 2, 4), (2, 3, 3)]
    for axes, (kernel, stride, input) in zip(panels(3, 10), cases, strict=True):
        overlap = overlap_map((kernel, kernel), stride, input=input)
        counts = overlap.counts
        offset = (10 - len(counts)) / 2
        grid(axes, counts, _shade, x=offset, y=offset, fontsize=8)
        fewest, most = overlap.extremes
        verdict = "even" if overlap.even else "gaps" if fewest == 0 else f"{fewest} to {most}"
        axes.set_title(f"kernel {kernel}, stride {stride}: {verdict}", fontsize=10)


def _shade(count):
    return colormaps["Blues"](0.14 * count)
