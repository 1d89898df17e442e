"""Each boundary rule as the full convolution with a single 1: the input, extended."""

import matplotlib.pyplot as plt
import numpy as np

from pyconvc.signal import convolve

RULES = ("fill", "nearest", "mirror", "symm", "wrap")
SAMPLES = np.array([3.0, 5.0, 4.0, 1.0, 2.0])
BEYOND = 8  # more than the input has: the rules go on

one = np.zeros(2 * BEYOND + 1)
one[BEYOND] = 1
places = np.arange(-BEYOND, SAMPLES.size + BEYOND)
inside = (places >= 0) & (places < SAMPLES.size)

figure, axes = plt.subplots(len(RULES), sharex=True, figsize=(7, 1.2 * len(RULES)))
for rule, axis in zip(RULES, axes, strict=True):
    extended = convolve(SAMPLES, one, mode="full", boundary=rule)
    axis.vlines(places, 0, extended, color="0.6")
    axis.plot(places[inside], extended[inside], "o", color="C0")
    axis.plot(places[~inside], extended[~inside], "o", color="C0", markerfacecolor="white")
    axis.axvspan(-0.5, SAMPLES.size - 0.5, color="C0", alpha=0.1, linewidth=0)
    axis.set_ylabel(f'"{rule}"', rotation=0, ha="right", va="center")
    axis.set(ylim=(-0.5, 6), yticks=[], xticks=[0, SAMPLES.size - 1])
    axis.spines[["top", "right", "left"]].set_visible(False)
axes[-1].set_xlabel("sample")
figure.tight_layout()
