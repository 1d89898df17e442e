"""Every way of writing padding, turned into (before, after) pairs: the one place that decides."""

from pyconvc.arithmetic._axes import integer, integers, is_sequence, rank_of, span, spread

PADDING_NAMES = ("valid", "same", "same_lower", "full", "causal")


def resolve_padding(padding, kernel, stride=1, dilation=1, input=None):
    """Return the padding of a convolution as one (before, after) pair per axis.

    With `e` the effective kernel size ``dilation * (kernel - 1) + 1`` of an axis:

    ================== ================ ====================================================
    padding            total            where it goes
    ================== ================ ====================================================
    ``"valid"``        0                nowhere: the kernel stays inside the input
    ``"same"``         see below        half on either side, an odd one *after*
    ``"same_lower"``   see below        half on either side, an odd one *before*
    ``"full"``         ``2 * (e - 1)``  ``e - 1`` on both sides: every partial overlap counts
    ``"causal"``       ``e - 1``        all before: no output sees a later input
    int                ``2 * int``      as many on both sides
    (before, after)    their sum        as said
    ================== ================ ====================================================

    ``"same"`` (TensorFlow's SAME, ONNX's SAME_UPPER) and ``"same_lower"`` (ONNX's SAME_LOWER) pad
    just enough for an output of ``ceil(input / stride)``.

    Parameters
    ----------
    padding : int, str, or sequence with one int, str or (before, after) pair per axis
        A plain sequence of ints is one int per axis; a pair for a single axis is
        ``((before, after),)``.
    kernel, stride, dilation : int or sequence of int
        Taps, step and tap spacing per axis.
    input : int or sequence of int, optional
        Input size per axis, in samples. Needed for ``"same"`` and ``"same_lower"`` with a stride
        above 1, where the total depends on it; ignored otherwise.

    Returns
    -------
    tuple of (int, int)
        One pair per axis, also when every argument is a plain int.

    Raises
    ------
    ValueError
        Unknown name, negative padding, a kernel, stride or dilation below 1, numbers of axes that
        disagree, or `input` missing where it is needed.
    TypeError
        A value that is not an int.

    Examples
    --------
    >>> resolve_padding("same", kernel=3)
    ((1, 1),)
    >>> resolve_padding("same", kernel=4), resolve_padding("same_lower", kernel=4)
    (((1, 2),), ((2, 1),))
    >>> resolve_padding("same", kernel=3, stride=2, input=6)
    ((0, 1),)
    >>> resolve_padding("causal", kernel=3, dilation=4)
    ((8, 0),)
    >>> resolve_padding(("causal", (0, 2)), kernel=(3, 5))
    ((2, 0), (0, 2))

    References
    ----------
    ONNX operator ``Conv``, attribute ``auto_pad``; van den Oord et al., "WaveNet" (2016),
    arXiv:1609.03499, for causal convolution.
    """
    rank = rank_of(padding=padding, kernel=kernel, stride=stride, dilation=dilation, input=input)
    kernels = integers("kernel", kernel, rank)
    strides = integers("stride", stride, rank)
    dilations = integers("dilation", dilation, rank)
    inputs = spread(None, rank) if input is None else integers("input", input, rank)
    reaches = map(span, kernels, dilations)
    return tuple(map(axis_padding, spread(padding, rank), reaches, strides, inputs))


def axis_padding(form, reach, stride, input):
    """Return the (before, after) pair that one axis' form of padding stands for."""
    if isinstance(form, str):
        return _named(form, reach, stride, input)
    if not is_sequence(form):
        amount = integer("padding", form, 0)
        return amount, amount
    if len(form) != 2:
        raise ValueError(f"padding={form!r} has {len(form)} entries; a pair is (before, after)")
    return integer("padding", form[0], 0), integer("padding", form[1], 0)


def depends_on_input(form):
    """Tell whether a form of padding can differ from one input size to another."""
    return form in ("same", "same_lower") if isinstance(form, str) else False


def _named(name, reach, stride, input):
    if name == "valid":
        return 0, 0
    if name == "full":
        return reach - 1, reach - 1
    if name == "causal":
        return reach - 1, 0
    if name in ("same", "same_lower"):
        total = _same_total(name, reach, stride, input)
        half = total // 2
        return (half, total - half) if name == "same" else (total - half, half)
    names = ", ".join(map(repr, PADDING_NAMES))
    raise ValueError(f"padding={name!r} is unknown; allowed are ints, (before, after), {names}")


def _same_total(name, reach, stride, input):
    if stride == 1:
        return reach - 1
    if input is None:
        raise ValueError(f"input=None, but padding={name!r} with stride={stride} depends on it")
    output = -(-input // stride)
    return max((output - 1) * stride + reach - input, 0)
