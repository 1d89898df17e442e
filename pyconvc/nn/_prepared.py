# SPDX-License-Identifier: BSD-3-Clause
"""What each method can do once for weights that stay; called as the functions of `_methods` are.

`kept_bytes` is what it keeps beside the weights, `workspace_bytes` what a call takes beside its
input, its result and what is kept. ``plain(x, bias, workers)`` is the result where nothing need be
checked or converted, or None.
"""

import functools

import numpy as np

from .. import _core
from . import _passes
from ._tiling import tiling


class Direct:
    """Weights packed for the kernels, or transformed for tiles of Winograd's method."""

    def __init__(self, p, w, flip, winograd, workers):
        x, y = (np.broadcast_to(w.dtype.type(0), shape) for shape in (p.x_shape, p.y_shape))
        self._packed = _core.Plan(
            x,
            w,
            y,
            stride=p.stride,
            dilation=p.dilation,
            pad_before=p.before,
            boundary=p.boundary,
            groups=p.groups,
            flip=flip,
            winograd=winograd,
            workers=workers,
        )
        self._correlate = functools.partial(_passes.correlate, winograd=winograd)
        self.kept_bytes = self._packed.packed_bytes
        self.plain = self._packed.plain

    def workspace_bytes(self, workers):
        """Scratch of the kernels."""
        return workers * self._packed.workspace_bytes

    def __call__(self, p, x, w, bias, y, *, flip, workers):
        if self._packed.fits(x, y):
            self._packed.run(x, y, bias=bias, workers=workers)
        else:
            self._correlate(p, x, w, bias, y, flip=flip, workers=workers)


class Unhurried:
    """A method whose calls are so long that checking does not matter."""

    def plain(self, x, bias, workers):
        """Nothing is plain."""


class Gemm(Unhurried):
    """The weights are the matrix."""

    kept_bytes = 0

    def __init__(self, p, w, flip):
        from ._matrix import correlate

        self._run, self._tile_bytes = correlate, tiling(p, w.itemsize).buffer_bytes

    def workspace_bytes(self, workers):
        """Columns of one tile for each worker."""
        return workers * self._tile_bytes

    def __call__(self, p, x, w, bias, y, *, flip, workers):
        self._run(p, x, w, bias, y, flip=flip, workers=workers)


class Fft(Unhurried):
    """Spectra of the weights, where they are few enough to keep."""

    def __init__(self, p, w, flip, safe_only):
        from . import _spectral

        self._run = _spectral.correlate_if_safe if safe_only else _spectral.correlate
        self._spectra = _spectral.kept_spectra(p, w, flip)
        self.kept_bytes = 0 if self._spectra is None else self._spectra.nbytes
        self._block_bytes = _spectral.plan(p, w.dtype).extra_bytes

    def workspace_bytes(self, workers):
        """Tiles and their spectra."""
        return workers * self._block_bytes

    def __call__(self, p, x, w, bias, y, *, flip, workers):
        self._run(p, x, w, bias, y, flip=flip, workers=workers, spectra=self._spectra)


def prepared(p, w, flip, choice, wanted, workers):
    """The object for a choice; ``wanted="auto"`` watches over the error bound of ``"fft"``.

    `workers` prepare it now, and are those for whom its tasks are sized.
    """
    if choice.method == "fft":
        return Fft(p, w, flip, safe_only=wanted == "auto")
    if choice.method == "gemm":
        return Gemm(p, w, flip)
    return Direct(p, w, flip, choice.tile, workers)
