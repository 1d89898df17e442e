"""The command line: ``python -m pyconvc info | filter | bench``.

Exit codes: 0 done, 2 a mistake in what was asked (one line on stderr says which), 130 interrupted.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import pyconvc
from pyconvc._cli import bench, filter, info
from pyconvc._cli.console import UsageError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    arguments = _parser().parse_args(argv)
    try:
        _check_environment()
        arguments.run(arguments)
    except UsageError as error:
        print(f"pyconvc: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("pyconvc: interrupted", file=sys.stderr)
        return 130
    return 0


def _check_environment() -> None:
    """Read PYCONVC_ISA and PYCONVC_NUM_THREADS now, so that an error in them is one line."""
    try:
        pyconvc.isa()
        pyconvc.get_num_threads()
    except (RuntimeError, ValueError) as error:
        raise UsageError(error) from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pyconvc", description="Convolution on the CPU")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (info, filter, bench):
        name = command.__name__.rpartition(".")[2]
        sub = commands.add_parser(
            name,
            help=command.HELP,
            description=command.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_arguments(sub)
        sub.set_defaults(run=command.run)
    return parser
