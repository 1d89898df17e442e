"""Figures on kernel algebra: composing, the 180-degree turn, products and sums of products."""

import matplotlib.pyplot as plt
import numpy as np
from arithmetic_draw import (
    FAINT,
    INK,
    INPUT,
    OUTPUT,
    PADDING,
    TAP,
    cell,
    grid,
    label,
    panels,
    sheet,
)

from pyconvc.arithmetic import compose, flip, rank, separable_factors


def compositions():
    """A box composed with itself, again and again, on its way to a Gaussian."""
    figure, panels = plt.subplots(1, 4, figsize=(8.2, 1.9), sharey=True)
    figure.subplots_adjust(left=0.02, right=0.98, bottom=0.14, top=0.84)
    box = np.ones(5) / 5
    kernel = box
    for times, axes in enumerate(panels, start=1):
        axes.bar(np.arange(len(kernel)) - len(kernel) // 2, kernel, 0.8, color=TAP, edgecolor=INK)
        axes.set_title(f"{times} box{'es' if times > 1 else ''}: {len(kernel)} taps", fontsize=9.5)
        axes.set(xlim=(-9, 9), yticks=[], xticks=[-8, 0, 8])
        axes.tick_params(labelsize=8, color=FAINT)
        axes.spines[["left", "right", "top"]].set_visible(False)
        kernel = compose(kernel, box)


def turn():
    """Numbers of the 180-degree turn: forward, backward by painting, backward by sliding."""
    kernel, gradient = np.array([[1, 2], [3, 4]]), np.array([[1, 10], [100, 1000]])
    back = compose(gradient, kernel)
    axes = sheet(20.5, 6.8, left=-0.6, top=-1.7, inches=0.46)
    _titled(axes, kernel, 0, 1, TAP, "w")
    _titled(axes, gradient, 3.6, 1, OUTPUT, "gradient of y")
    label(axes, 10.1, -1.5, "turned w over the padded gradient", align="center")
    for (y, x), value in np.ndenumerate(np.pad(gradient, 1)):
        real = 0 < y < 3 and 0 < x < 3
        text = str(value) if real else ""
        cell(axes, 8.1 + x, y, OUTPUT if real else PADDING, text, dashed=not real, fontsize=8)
    for (y, x), value in np.ndenumerate(flip(kernel)):
        style = {"color": "#8f4a00", "fontsize": 7.5, "weight": "bold"}
        axes.text(9.2 + x, 1.9 + y, f"·{value}", **style)
    left, top, side = 9.13, 1.03, 1.94
    right, bottom = left + side, top + side
    square = ([left, right, right, left, left], [top, top, bottom, bottom, top])
    axes.plot(*square, color=TAP, linewidth=2.4)
    label(axes, 13.3, 1.5, "=", align="center", fontsize=14)
    _titled(axes, back, 14.6, 0.5, lambda value: TAP if value == 1234 else INPUT, "gradient of x")
    label(axes, 10.1, 4.1, "1·4 + 10·3 + 100·2 + 1000·1 = 1234", align="center")


def _titled(axes, values, x, y, fill, title):
    label(axes, x + values.shape[1] / 2, -1.5, title, align="center")
    grid(axes, values, fill, x=x, y=y, fontsize=8)


def products():
    """A Sobel kernel is one product of a smoothing and a difference."""
    sobel = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]])
    column, line = separable_factors(sobel).factors
    axes = sheet(17, 3.6, left=-0.3, top=-0.3, inches=0.42)
    grid(axes, sobel, _signed)
    label(axes, 3.9, 1, "=", align="center", fontsize=14)
    grid(axes, column[:, None], _signed, x=4.8)
    label(axes, 6.7, 1, "×", align="center", fontsize=14)
    grid(axes, line[None], _signed, x=7.6, y=1)
    label(axes, 11.1, 1, f"rank {rank(sobel)}: 6 taps, not 9")


def _signed(value):
    return INPUT if value > 0 else "#f3b0a5" if value < 0 else "#ffffff"


def sums():
    """A disc by sums of more and more products."""
    y, x = np.mgrid[-7:8, -7:8]
    disc = (x * x + y * y <= 49).astype(float)
    found = [separable_factors(disc, tol) for tol in (0.4, 0.25, 0.15)]
    for axes, terms in zip(panels(4, 1, inches=1.9), [None, *found], strict=True):
        values = terms.kernel if terms else disc
        axes.imshow(values, "Greys", vmin=-0.35, vmax=1.35, extent=(0, 1, 1, 0))
        axes.plot([0, 1, 1, 0, 0], [0, 0, 1, 1, 0], color=FAINT, linewidth=1)
        count = len(terms.terms) if terms else 0
        said = f"{count} term{'s' * (count > 1)}: {terms.taps} taps" if terms else "disc: 225 taps"
        axes.set_title(said + (f", {terms.error:.0%} off" if terms else ""), fontsize=9)
