"""The receptive field of a stack of layers: which input samples one output sees."""

from collections.abc import Mapping
from dataclasses import dataclass

from pyconvc.arithmetic._axes import integers, rank_of, shaped, span
from pyconvc.arithmetic.padding import resolve_padding
from pyconvc.arithmetic.sizes import conv_output_size


@dataclass(frozen=True, slots=True)
class Layer:
    """One convolution or pool of a stack; each number an int, or one int per axis.

    Attributes
    ----------
    kernel, stride, dilation : int or sequence of int
        Taps, step and tap spacing.
    padding : int, str, or sequence with one int, str or (before, after) pair per axis
        Any form of `resolve_padding`.
    name : str
        What to call it in the table.
    """

    kernel: int | tuple[int, ...]
    stride: int | tuple[int, ...] = 1
    padding: object = 0
    dilation: int | tuple[int, ...] = 1
    name: str = ""


@dataclass(frozen=True, slots=True)
class FieldStep:
    """What one output of a layer sees of the stack's input; ints, or one per axis.

    Attributes
    ----------
    name : str
        The layer's name, or its number.
    size : int or tuple of int
        Input samples from the first to the last one seen.
    jump : int or tuple of int
        Input samples between the fields of neighbouring outputs: the product of the strides.
    start : int or tuple of int
        Index of the first input sample that output 0 sees; negative inside the padding.
    centre : float or tuple of float
        Middle of output 0's field, in input samples.
    output : int or tuple of int, optional
        The layer's output size, when the input size was given.
    """

    name: str
    size: int | tuple[int, ...]
    jump: int | tuple[int, ...]
    start: int | tuple[int, ...]
    centre: float | tuple[float, ...]
    output: int | tuple[int, ...] | None = None


@dataclass(frozen=True)
class ReceptiveField:
    """The receptive fields after each layer of a stack; prints as a table.

    Attributes
    ----------
    steps : tuple of FieldStep
        One for each layer, from the input on.
    """

    steps: tuple[FieldStep, ...]

    @property
    def size(self):
        """Input samples the last layer's outputs see."""
        return self.steps[-1].size

    @property
    def jump(self):
        """Input samples between neighbouring outputs of the last layer."""
        return self.steps[-1].jump

    @property
    def start(self):
        """Index of the first input sample that the last layer's output 0 sees."""
        return self.steps[-1].start

    @property
    def centre(self):
        """Middle of the field of the last layer's output 0, in input samples."""
        return self.steps[-1].centre

    def region(self, output):
        """Return the first and the last input index that an output of the last layer sees.

        Indices below 0, or past the input, lie in the padding.

        Parameters
        ----------
        output : int or sequence of int
            Index of the output, per axis for a stack with axes.

        Returns
        -------
        (int, int), or a tuple of those per axis

        Examples
        --------
        >>> receptive_field([Layer(3, stride=2, padding=1), Layer(3)]).region(4)
        (7, 13)
        """
        last = self.steps[-1]
        rank = rank_of(output=output, size=last.size)
        columns = (integers("output", output, rank, least=0), _per_axis(last.start, rank))
        rows = zip(*columns, _per_axis(last.jump, rank), _per_axis(last.size, rank), strict=True)
        return shaped([(s + o * j, s + o * j + size - 1) for o, s, j, size in rows], rank)

    def __repr__(self):
        heads = ["layer", "size", "jump", "start", "centre"]
        heads += ["output"] if self.steps[-1].output is not None else []
        rows = [[str(getattr(step, head)) for head in ["name", *heads[1:]]] for step in self.steps]
        widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
        lines = ("  ".join(map(str.rjust, row, widths)) for row in [heads, *rows])
        return "\n".join(lines)


def receptive_field(layers, input=None):
    """Return the receptive field of a stack of convolutions and pools, layer by layer.

    With effective kernel size ``e``, stride ``s`` and padding ``p`` (before) of each layer in turn,
    from ``size = 1, jump = 1, start = 0``::

        size  += (e - 1) * jump
        start -= p * jump
        jump  *= s

    A field is the whole stretch from the first to the last sample seen; `gridding` tells whether
    all between are seen too.

    Parameters
    ----------
    layers : iterable of Layer, mapping or sequence
        Mappings and sequences are the arguments of `Layer`: ``(kernel, stride, padding, ...)``.
    input : int or sequence of int, optional
        Input size. Adds every layer's output size, and is needed for ``"same"`` padding with a
        stride above 1.

    Returns
    -------
    ReceptiveField

    Raises
    ------
    ValueError, TypeError
        No layers, or an argument of a layer out of its range; a layer whose kernel does not fit.

    Examples
    --------
    The first layers of VGG-16:

    >>> receptive_field(
    ...     [Layer(3, padding=1, name="conv1_1"), Layer(3, padding=1, name="conv1_2"),
    ...      Layer(2, 2, name="pool1"), Layer(3, padding=1, name="conv2_1")], input=224)
      layer  size  jump  start  centre  output
    conv1_1     3     1     -1     0.0     224
    conv1_2     5     1     -2     0.0     224
      pool1     6     2     -2     0.5     112
    conv2_1    10     2     -4     0.5     112

    WaveNet's causal stack sees 1024 samples, the present one last:

    >>> wavenet = receptive_field(Layer(2, 1, "causal", 2**n) for n in range(10))
    >>> wavenet.size, wavenet.region(5000)
    (1024, (3977, 5000))

    References
    ----------
    Araujo, Norris and Sim, "Computing Receptive Fields of Convolutional Neural Networks", Distill
    (2019), doi:10.23915/distill.00021.
    """
    stack = [_layer(entry) for entry in layers]
    if not stack:
        raise ValueError("layers is empty; a receptive field needs at least one layer")
    rank = _stack_rank(stack, input)
    sizes = None if input is None else integers("input", input, rank)
    ones = (1,) * (rank or 1)
    size, jump, start = ones, ones, (0,) * len(ones)
    steps = []
    for number, layer in enumerate(stack):
        size, jump, start = _through(layer, rank, sizes, size, jump, start)
        sizes = sizes and _output_size(layer, sizes)
        name = layer.name or str(number)
        steps.append(_step(name, rank, size, jump, start, sizes))
    return ReceptiveField(tuple(steps))


def _layer(entry):
    if isinstance(entry, Layer):
        return entry
    return Layer(**entry) if isinstance(entry, Mapping) else Layer(*entry)


def _stack_rank(stack, input):
    given = {} if input is None else {"input": input}
    for number, layer in enumerate(stack):
        for name in ("kernel", "stride", "padding", "dilation"):
            given[f"layers[{number}].{name}"] = getattr(layer, name)
    return rank_of(**given)


def _through(layer, rank, sizes, size, jump, start):
    """Return size, jump and start per axis after one more layer."""
    kernels = integers("kernel", layer.kernel, rank)
    strides = integers("stride", layer.stride, rank)
    dilations = integers("dilation", layer.dilation, rank)
    pairs = resolve_padding(layer.padding, kernels, strides, dilations, sizes)
    reaches = map(span, kernels, dilations)
    return (
        tuple(n + (reach - 1) * j for n, reach, j in zip(size, reaches, jump, strict=True)),
        tuple(j * stride for j, stride in zip(jump, strides, strict=True)),
        tuple(at - before * j for at, (before, _), j in zip(start, pairs, jump, strict=True)),
    )


def _output_size(layer, sizes):
    return conv_output_size(sizes, layer.kernel, layer.stride, layer.padding, layer.dilation)


def _step(name, rank, size, jump, start, sizes):
    centre = tuple(first + (samples - 1) / 2 for first, samples in zip(start, size, strict=True))
    output = sizes and shaped(sizes, rank)
    return FieldStep(name, *(shaped(row, rank) for row in (size, jump, start, centre)), output)


def _per_axis(value, rank):
    return (value,) if rank is None else value
