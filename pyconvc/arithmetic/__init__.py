"""The arithmetic of convolution: sizes, padding, reach and kernel algebra, without any samples.

Everything here is a question about numbers that can be answered before an array exists: how large
is the output, which input does one output see, which ``output_padding`` gives the size I want, does
this stack of dilations leave holes, is this kernel separable. Sizes are plain Python ints; an
argument is one int, or one int per axis, and the answer has the same form.

Sizes
    `conv_output_size`, `conv_transpose_output_size`, `pool_output_size`, `unpool_output_size`,
    `unfold_output_size`, `unfold_blocks`, `adaptive_windows`, `effective_kernel_size`
Padding
    `resolve_padding`
The relationships of Dumoulin & Visin, by number
    `RELATIONSHIPS`, `relationship`, and the module `relationships`
Transposed convolution
    `transpose_sizes`, `output_padding_for`, `forward_inputs`, `equivalent_convolution`
Reach and evenness
    `receptive_field`, `gridding`, `overlap_map`
Kernel algebra on arrays
    `compose`, `dilate`, `flip`, `rank`, `mode_ranks`, `separable_factors`
"""

from pyconvc.arithmetic import relationships
from pyconvc.arithmetic.dilations import Gridding, gridding
from pyconvc.arithmetic.equivalent import EquivalentConvolution, equivalent_convolution
from pyconvc.arithmetic.fields import FieldStep, Layer, ReceptiveField, receptive_field
from pyconvc.arithmetic.kernels import compose, dilate, flip
from pyconvc.arithmetic.overlap import OverlapMap, overlap_map
from pyconvc.arithmetic.padding import PADDING_NAMES, resolve_padding
from pyconvc.arithmetic.relationships import RELATIONSHIPS, Relationship, relationship
from pyconvc.arithmetic.separable import SeparableSum, mode_ranks, rank, separable_factors
from pyconvc.arithmetic.sizes import (
    adaptive_windows,
    conv_output_size,
    effective_kernel_size,
    pool_output_size,
    unfold_blocks,
    unfold_output_size,
)
from pyconvc.arithmetic.transposed import (
    TransposedSize,
    conv_transpose_output_size,
    forward_inputs,
    output_padding_for,
    transpose_sizes,
    unpool_output_size,
)

__all__ = [
    "PADDING_NAMES",
    "RELATIONSHIPS",
    "EquivalentConvolution",
    "FieldStep",
    "Gridding",
    "Layer",
    "OverlapMap",
    "ReceptiveField",
    "Relationship",
    "SeparableSum",
    "TransposedSize",
    "adaptive_windows",
    "compose",
    "conv_output_size",
    "conv_transpose_output_size",
    "dilate",
    "effective_kernel_size",
    "equivalent_convolution",
    "flip",
    "forward_inputs",
    "gridding",
    "mode_ranks",
    "output_padding_for",
    "overlap_map",
    "pool_output_size",
    "rank",
    "receptive_field",
    "relationship",
    "relationships",
    "resolve_padding",
    "separable_factors",
    "transpose_sizes",
    "unfold_blocks",
    "unfold_output_size",
    "unpool_output_size",
]
