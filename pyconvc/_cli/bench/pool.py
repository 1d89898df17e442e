"""Pools of images with the meaning of torch.nn.functional."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np

from pyconvc import arithmetic, nn
from pyconvc._cli.bench.case import PEERS, Call, random, tolerance_of


@dataclass(frozen=True)
class PoolCase:
    """``avg_poolNd`` or ``max_poolNd``, by `kind`, on normal random numbers."""

    name: str
    x: tuple[int, ...]
    kernel: int
    kind: str = "avg"
    stride: int | None = None
    padding: int = 0
    dtype: str = "float32"
    family: str = "pool"

    flops = 0

    @property
    def tolerance(self) -> float:
        return tolerance_of(np.dtype(self.dtype))

    @property
    def bytes(self) -> int:
        sizes = {"stride": self.stride or self.kernel, "padding": self.padding}
        space = arithmetic.pool_output_size(self.x[2:], self.kernel, **sizes)
        samples = math.prod(self.x) + math.prod((*self.x[:2], *space))
        return samples * np.dtype(self.dtype).itemsize

    def libraries(self) -> list[str]:
        return ["pyconvc", "torch"] if PEERS["torch"]() else ["pyconvc"]

    def calls(self) -> dict[str, Call]:
        x = random(np.random.default_rng(0), self.x, np.dtype(self.dtype))
        name = f"{self.kind}_pool{x.ndim - 2}d"
        numbers = self.kernel, self.stride, self.padding
        calls = {"pyconvc": functools.partial(getattr(nn, name), x, *numbers)}
        if torch := PEERS["torch"]():
            pool, tensor = getattr(torch.nn.functional, name), torch.from_numpy(x)
            calls["torch"] = lambda: pool(tensor, *numbers).numpy()
        return calls


CASES = (
    PoolCase("average 2 @112", (1, 64, 112, 112), 2),
    PoolCase("average 3 stride 1 @112", (1, 64, 112, 112), 3, stride=1, padding=1),
    PoolCase("average 7 @112", (1, 64, 112, 112), 7),
    PoolCase("largest 2 @112", (1, 64, 112, 112), 2, "max"),
    PoolCase("largest 3 stride 2 @112", (1, 64, 112, 112), 3, "max", stride=2, padding=1),
)
