"""Figures on reach: the receptive field of a stack, and the holes of dilations."""

import numpy as np
from arithmetic_draw import FAINT, INK, INPUT, OUTPUT, TAP, label, link, panels, sheet
from matplotlib import colormaps
from matplotlib.colors import LogNorm
from matplotlib.patches import Circle

from pyconvc.arithmetic import Layer, gridding, receptive_field


def receptive_fields():
    """The samples that one output sees, layer by layer, drawn above the input."""
    stack = [Layer(3, 1, 1), Layer(3, 2, 1), Layer(3, 1, 1, dilation=2)]
    input = 17
    field = receptive_field(stack, input)
    axes = sheet(25.5, 10.4, left=-1.2, top=-0.6)
    heights = [9.0, 6.2, 3.4, 0.6]
    chosen = {4}
    for number in (2, 1, 0):
        layer, step = stack[number], field.steps[number]
        below = field.steps[number - 1] if number else None
        y, inputs = heights[number + 1], below.output if below else input
        chosen = _layer(axes, layer, step, below, (y, heights[number]), chosen, inputs)
        said = f"kernel {layer.kernel}, stride {layer.stride}, dilation {layer.dilation}"
        label(axes, 17.6, y - 0.9, said, colour=FAINT, fontsize=8.5)
        said = f"size {step.size}, jump {step.jump}, start {step.start}"
        label(axes, 17.6, y - 0.2, said)
    for index in range(input):
        _dot(axes, index, heights[0], TAP if index in chosen else INPUT, index)
    label(axes, 17.6, heights[0] - 0.5, "input")
    first, last = field.region(4)
    axes.plot([first - 0.35, last + 0.35], [heights[0] + 0.7] * 2, color=TAP, linewidth=3)


def _layer(axes, layer, step, below, heights, chosen, inputs):
    """Draw one layer's outputs and their links down; return the inputs that the chosen ones see."""
    y, y_below = heights
    seen = set()
    for output in range(step.output):
        for tap in range(layer.kernel):
            source = output * layer.stride + tap * layer.dilation - layer.padding
            if not 0 <= source < inputs:
                continue
            mine = output in chosen
            seen |= {source} if mine else set()
            x = source * below.jump + below.centre if below else source
            start = (output * step.jump + step.centre, y + 0.32)
            link(axes, start, (x, y_below - 0.32), colour=TAP if mine else "#dfe3e7")
    for output in range(step.output):
        colour = TAP if output in chosen else OUTPUT
        _dot(axes, output * step.jump + step.centre, y, colour, output)
    return seen


def _dot(axes, x, y, fill, text):
    axes.add_patch(Circle((x, y), 0.36, facecolor=fill, edgecolor=INK, linewidth=0.8, zorder=3))
    axes.text(x, y + 0.03, text, ha="center", va="center", fontsize=7.5, color=INK, zorder=4)


def gridding_maps():
    """Paths from each input sample to one output; white samples have none."""
    stacks = [(2, 2, 2), (1, 2, 9), (1, 2, 5)]
    for axes, dilations in zip(panels(3, 1), stacks, strict=True):
        found = gridding(dilations, kernel=3)
        plane = np.multiply.outer(found.coverage, found.coverage)
        shades = colormaps["YlOrBr"].with_extremes(bad="#ffffff")
        seen = np.ma.masked_equal(plane, 0)
        axes.imshow(seen, shades, LogNorm(0.5, plane.max() * 2), extent=(0, 1, 1, 0))
        axes.plot([0, 1, 1, 0, 0], [0, 0, 1, 1, 0], color=FAINT, linewidth=1)
        verdict = "all seen" if found.covered else f"{np.mean(plane > 0):.0%} seen"
        axes.set_title(
            f"dilations {', '.join(map(str, dilations))}: {found.size}², {verdict}", fontsize=9.5
        )
