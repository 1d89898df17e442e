"""Every benchmark case, family after family; a new family adds its module here."""

from __future__ import annotations

import json
from pathlib import Path

from pyconvc._cli.bench import conv, ndimage, pool, signal
from pyconvc._cli.bench.case import Case

CASES = (*signal.CASES, *ndimage.CASES, *conv.CASES, *pool.CASES)
KINDS = {
    "signal": signal.SignalCase,
    "ndimage": ndimage.NdimageCase,
    "conv": conv.ConvCase,
    "pool": pool.PoolCase,
}


def read(path: Path) -> tuple[Case, ...]:
    """Cases of a JSON file: a list of objects of a "family" and the fields of its cases."""
    return tuple(_case(**entry) for entry in json.loads(path.read_text(encoding="utf-8")))


def _case(family: str, **fields) -> Case:
    fields = {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}
    return KINDS[family](**fields)
