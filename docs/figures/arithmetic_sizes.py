"""Figures on output sizes: one axis, the forms of padding, the floor, ceil_mode, dilation."""

from arithmetic_draw import (
    FAINT,
    INK,
    INPUT,
    OUTPUT,
    TAP,
    cell,
    label,
    link,
    measure,
    padded_input,
    panels,
    sheet,
    sheets,
    window,
)

from pyconvc.arithmetic import (
    conv_output_size,
    effective_kernel_size,
    pool_output_size,
    resolve_padding,
)


def slide(axes, y, input, kernel, stride, pair, dilation, outputs, *, names=None):
    """Draw a padded input and, below it, one line for each position of the kernel."""
    before, after = pair
    reach = effective_kernel_size(kernel, dilation)
    covered = (outputs - 1) * stride + reach
    padded_input(axes, y, input, pair, unused=max(input + before + after - covered, 0))
    target = input + after + 1.4
    for output in range(outputs):
        line, first = y + 1.35 + output, output * stride - before
        window(axes, first, line, kernel, dilation, names=names)
        last = max(first + reach + 0.1, input + after + 0.1)
        link(axes, (last, line + 0.5), (target - 0.1, line + 0.5), arrow=True)
        cell(axes, target, line, OUTPUT, str(output), size=0.86)
    return y + 1.35 + outputs


def anatomy():
    """All the words on one axis."""
    input, kernel, stride, dilation, pair = 8, 3, 2, 2, (1, 1)
    outputs = conv_output_size(input, kernel, stride, 1, dilation)
    axes = sheet(17.6, 7.9, left=-5.2, top=-1.2)
    label(axes, -1.4, 0, "padded input", align="right")
    label(axes, -0.5, -0.95, "before", align="center", colour=FAINT)
    label(axes, input + 0.5, -0.95, "after", align="center", colour=FAINT)
    bottom = slide(axes, 0, input, kernel, stride, pair, dilation, outputs, names="abc")
    label(axes, -1.4, 1.35, "taps of the kernel", align="right", colour="#c26a12")
    label(axes, input + 2.9, 0, "output", align="center", colour="#3d8b47")
    link(axes, (-1, bottom + 0.05), (-1, 1.2), width=0.5)
    link(axes, (1, bottom + 0.05), (1, 2.2), width=0.5)
    measure(axes, -1, 1, bottom + 0.15, "stride")
    reach = effective_kernel_size(kernel, dilation)
    start = (outputs - 1) * stride - 1
    measure(axes, start, start + reach, bottom + 0.15, f"effective kernel size {reach}")
    measure(axes, start + 0.5, start + 0.5 + dilation, bottom + 1.15, "dilation")


def padding_forms():
    """What each name of padding adds, with the first and the last place of the kernel."""
    input, kernel = 6, 4
    cases = [("valid", 1), ("same", 1), ("same_lower", 1), ("full", 1), ("causal", 1), ("same", 3)]
    axes = sheet(22.5, 3.1 * len(cases) + 0.8, left=-8.6, top=-1.1, inches=0.32)
    label(axes, 13.7, -1.05, "before, after  →  output", align="right", colour=FAINT)
    for number, (name, stride) in enumerate(cases):
        y = 3.1 * number
        (pair,) = resolve_padding(name, kernel, stride, input=input)
        outputs = conv_output_size(input, kernel, stride, name)
        said = f'"{name}"' + (f", stride {stride}" if stride > 1 else "")
        label(axes, -3.8, y, said, align="right")
        padded_input(axes, y, input, pair)
        window(axes, -pair[0], y + 0.92, kernel, 1)
        window(axes, (outputs - 1) * stride - pair[0], y + 1.72, kernel, 1)
        label(axes, 13.7, y, f"{pair[0]}, {pair[1]}  →  {outputs}", align="right")


def floor():
    """Two inputs, one output: the floor forgets the last sample."""
    for axes, input in zip(sheets(2, 13, 5.7, left=-2, top=-1.2), (5, 6), strict=True):
        outputs = conv_output_size(input, kernel=3, stride=2, padding=1)
        label(axes, -1, -1.2, f"floor(({input} + 1 + 1 - 3) / 2) + 1 = {outputs}")
        slide(axes, 0, input, 3, 2, (1, 1), 1, outputs)


def ceil_mode():
    """The window that hangs over the end, and the one that may not start there."""
    cases = ((6, 3, 2), (5, 1, 3))
    for axes, (input, kernel, stride) in zip(
        sheets(2, 13, 6.4, left=-1, top=-1.2), cases, strict=True
    ):
        inside = pool_output_size(input, kernel, stride)
        rounded_up = pool_output_size(input, kernel, stride, ceil_mode=True)
        label(axes, 0, -1.2, f"kernel {kernel}, stride {stride}")
        bottom = slide(axes, 0, input, kernel, stride, (0, 0), 1, inside)
        start, hangs = inside * stride, rounded_up > inside
        window(axes, start, bottom, kernel, 1, fill="#fbe0c3")
        said = "hangs over the end: counts" if hangs else "starts past the input: does not count"
        label(axes, start + kernel / 2, bottom + 0.95, said, align="center", colour=FAINT)
        label(axes, input + 2.7, bottom - 1, f"floor: {inside}", colour="#3d8b47")
        label(axes, input + 2.7, bottom, f"ceil: {rounded_up}", colour="#3d8b47")
        if hangs:
            cell(axes, input + 1.4, bottom, OUTPUT, str(inside), size=0.86, dashed=True)


def dilation():
    """Nine taps, three reaches."""
    for axes, rate in zip(panels(3, 9), (1, 2, 4), strict=True):
        reach = effective_kernel_size(3, rate)
        first = (9 - reach) // 2
        taps = {first + tap * rate for tap in range(3)}
        for y in range(9):
            for x in range(9):
                cell(axes, x, y, TAP if {x, y} <= taps else INPUT, ink=INK)
        axes.set_title(f"dilation {rate}: spans {reach}", fontsize=10, color=INK)
