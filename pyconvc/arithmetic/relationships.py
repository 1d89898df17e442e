"""The relationships of Dumoulin & Visin, by number.

Vincent Dumoulin and Francesco Visin, "A guide to convolution arithmetic for deep learning" (2016),
arXiv:1603.07285, states fifteen relationships between the sizes of a convolution's input, kernel,
padding, stride and output, from the simplest case to the general one. They are the way most people
learn this arithmetic, and the numbers are cited; here each is a function of exactly the quantities
that are free in it, which refuses values outside its conditions. `RELATIONSHIPS` lists them.

The letters of the paper: ``i`` input, ``k`` kernel, ``s`` stride, ``p`` padding on both sides,
``d`` dilation, ``o`` output; a prime marks the transposed convolution, whose input ``i'`` has the
size of the convolution's output. Relationships 8 to 14 also say with which padding ``p'`` a direct
convolution computes the same (`equivalent_convolution`).

Every function states its own formula, as short as its conditions make it; that they all agree with
the two general ones, `conv_output_size` and `conv_transpose_output_size`, is left to the tests.
"""

from collections.abc import Callable
from dataclasses import dataclass

from pyconvc.arithmetic._axes import integer


@dataclass(frozen=True, slots=True)
class Relationship:
    """One numbered relationship.

    Attributes
    ----------
    number : int
        As in the paper.
    conditions, formula : str
        When it holds, and what it says, in the paper's letters.
    function : callable
        Takes the quantities that are free in it, returns the output size.
    """

    number: int
    conditions: str
    formula: str
    function: Callable[..., int]

    @property
    def name(self):
        """The function's name."""
        return self.function.__name__

    @property
    def words(self):
        """The relationship in words."""
        return self.function.__doc__

    def __call__(self, *sizes, **named_sizes):
        """Return the output size."""
        return self.function(*sizes, **named_sizes)

    def __str__(self):
        return f"{self.number:2}. {self.formula:51} {self.conditions}"


RELATIONSHIPS: dict[int, Relationship] = {}


def relationship(number):
    """Return the relationship with this number.

    Examples
    --------
    >>> relationship(6)(input=5, kernel=3, padding=1, stride=2)
    3
    >>> for number in (3, 6, 14):
    ...     print(relationship(number))
     3. o = i                                               s = 1, k = 2n + 1, p = n
     6. o = floor((i + 2p - k) / s) + 1                     any i, k, p, s
    14. o' = s (i' - 1) + a + k - 2p                        a = (i + 2p - k) mod s; p' = k - p - 1
    """
    if number not in RELATIONSHIPS:
        raise ValueError(f"number={number!r} is no relationship; allowed is 1 to 15")
    return RELATIONSHIPS[number]


def _numbered(number, conditions, formula):
    def enter(function):
        RELATIONSHIPS[number] = Relationship(number, conditions, formula, function)
        return function

    return enter


@_numbered(1, "s = 1, p = 0", "o = (i - k) + 1")
def unit_stride(input, kernel):
    """Single steps from one end until the kernel touches the other, plus where it started."""
    _check(input=input, kernel=kernel)
    return (input - kernel) + 1


@_numbered(2, "s = 1", "o = (i - k) + 2p + 1")
def padded(input, kernel, padding):
    """Padding makes the input larger by 2p, and the output by as much."""
    _check(input=input, kernel=kernel, padding=padding)
    return (input - kernel) + 2 * padding + 1


@_numbered(3, "s = 1, k = 2n + 1, p = n", "o = i")
def half_padding(input, kernel):
    """Half an odd kernel on both sides keeps the size: the "same" padding of odd kernels."""
    _check_odd(kernel)
    _check(input=input, kernel=kernel, padding=kernel // 2)
    return input


@_numbered(4, "s = 1, p = k - 1", "o = i + (k - 1)")
def full_padding(input, kernel):
    """All of the kernel but one tap on both sides: every overlap, however small, has an output."""
    _check(input=input, kernel=kernel, padding=kernel - 1)
    return input + (kernel - 1)


@_numbered(5, "p = 0", "o = floor((i - k) / s) + 1")
def strided(input, kernel, stride):
    """Steps of s; the last samples are left out when the steps do not reach them."""
    _check(input=input, kernel=kernel, stride=stride)
    return (input - kernel) // stride + 1


@_numbered(6, "any i, k, p, s", "o = floor((i + 2p - k) / s) + 1")
def padded_strided(input, kernel, padding, stride):
    """The general case: relationship 5 over the padded input. Up to s inputs share an output."""
    _check(input=input, kernel=kernel, padding=padding, stride=stride)
    return (input + 2 * padding - kernel) // stride + 1


@_numbered(7, "any i, k, s", "o = floor((i - k) / s) + 1")
def pooling(input, kernel, stride):
    """What a window does with its samples does not change how many windows there are."""
    _check(input=input, kernel=kernel, stride=stride)
    return (input - kernel) // stride + 1


@_numbered(8, "s = 1, p = 0; p' = k - 1", "o' = i' + (k - 1)")
def transposed_unit_stride(input, kernel):
    """Each input paints k outputs. Equals a direct convolution with full padding."""
    _check(input=input, kernel=kernel, painted=True)
    return input + (kernel - 1)


@_numbered(9, "s = 1; p' = k - p - 1", "o' = i' + (k - 1) - 2p")
def transposed_padded(input, kernel, padding):
    """The padding that the convolution added is cropped again."""
    _check(input=input, kernel=kernel, padding=padding, painted=True)
    return input + (kernel - 1) - 2 * padding


@_numbered(10, "s = 1, k = 2n + 1, p = n; p' = p", "o' = i'")
def transposed_half_padding(input, kernel):
    """The transpose of a half-padded convolution is half-padded too: the size stays."""
    _check_odd(kernel)
    _check(input=input, kernel=kernel, padding=kernel // 2, painted=True)
    return input


@_numbered(11, "s = 1, p = k - 1; p' = 0", "o' = i' - (k - 1)")
def transposed_full_padding(input, kernel):
    """The transpose of a fully padded convolution has no padding at all."""
    _check(input=input, kernel=kernel, padding=kernel - 1, painted=True)
    return input - (kernel - 1)


@_numbered(12, "p = 0, s divides i - k; p' = k - 1", "o' = s (i' - 1) + k")
def transposed_strided(input, kernel, stride):
    """Inputs paint s apart; as a direct convolution, s - 1 zeros lie between them."""
    _check(input=input, kernel=kernel, stride=stride, painted=True)
    return stride * (input - 1) + kernel


@_numbered(13, "s divides i + 2p - k; p' = k - p - 1", "o' = s (i' - 1) + k - 2p")
def transposed_padded_strided(input, kernel, stride, padding):
    """Relationships 9 and 12 together, for the smallest of the sizes that share an output."""
    _check(input=input, kernel=kernel, stride=stride, padding=padding, painted=True)
    return stride * (input - 1) + kernel - 2 * padding


@_numbered(14, "a = (i + 2p - k) mod s; p' = k - p - 1", "o' = s (i' - 1) + a + k - 2p")
def transposed_with_remainder(input, kernel, stride, padding, remainder):
    """The general case. The a samples that the convolution's floor forgot are added at the end."""
    sizes = {"input": input, "kernel": kernel, "stride": stride, "padding": padding}
    _check(**sizes, remainder=remainder, painted=True)
    return stride * (input - 1) + remainder + kernel - 2 * padding


@_numbered(15, "any i, k, p, s, d", "o = floor((i + 2p - k - (k - 1) (d - 1)) / s) + 1")
def dilated(input, kernel, padding, stride, dilation):
    """Relationship 6 with the kernel as wide as its taps lie: d - 1 gaps between neighbours."""
    _check(input=input, kernel=kernel, padding=padding, stride=stride, dilation=dilation)
    return (input + 2 * padding - kernel - (kernel - 1) * (dilation - 1)) // stride + 1


def _check_odd(kernel):
    if integer("kernel", kernel, 1) % 2 == 0:
        raise ValueError(f"kernel={kernel} is even; half padding keeps the size only of odd ones")


def _check(input, kernel, padding=0, stride=1, dilation=1, remainder=0, painted=False):
    """Raise unless the numbers are in range and give an output; `painted` means transposed."""
    for name, value in (("input", input), ("kernel", kernel), ("stride", stride)):
        integer(name, value, 1)
    integer("dilation", dilation, 1)
    integer("padding", padding, 0)
    if integer("remainder", remainder, 0) >= stride:
        raise ValueError(f"remainder={remainder} is no remainder of stride={stride}")
    size = stride * (input - 1) + remainder + kernel - 2 * padding
    if painted and size < 1:
        raise ValueError(
            f"padding={padding} crops everything: {stride} * ({input} - 1) + {remainder} "
            f"+ {kernel} - 2 * {padding} = {size} is below 1"
        )
    reach = kernel + (kernel - 1) * (dilation - 1)
    if not painted and input + 2 * padding < reach:
        raise ValueError(
            f"kernel={kernel} spans {reach} samples; input={input} with padding={padding} on both "
            f"sides has only {input} + 2 * {padding} = {input + 2 * padding}"
        )
