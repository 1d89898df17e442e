"""What the commands print: tables, progress and one-line mistakes; rich where it is installed."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence

try:
    import rich
    import rich.console
    import rich.progress
    import rich.table
except ImportError:
    rich = None

Advance = Callable[[], None]
PIPE_WIDTH = 160  # columns of a table that no terminal limits


class UsageError(Exception):
    """Something the user asked for that cannot be done; its text is the one line they see."""


def show_table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print text rows under a head; a cell that begins with ``*`` is shown as a warning."""
    if rich is None:
        print(_plain(title, head, rows))
        return
    terminal = rich.console.Console()
    console = terminal if terminal.is_terminal else rich.console.Console(width=PIPE_WIDTH)
    table = rich.table.Table()
    for index, name in enumerate(head):
        table.add_column(name, justify="left" if index == 0 else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(_styled(cell) for cell in row))
    console.print(title, style="bold", soft_wrap=True)
    console.print(table)


@contextlib.contextmanager
def progress(label: str, steps: int) -> Iterator[Advance]:
    """A bar on a terminal's stderr, for more than one step; yields what to call after each."""
    console = rich and rich.console.Console(file=sys.stderr)
    if not (console and console.is_terminal and steps > 1):
        yield lambda: None
        return
    with rich.progress.Progress(console=console, transient=True) as bar:
        task = bar.add_task(label, total=steps)
        yield lambda: bar.advance(task)


def _styled(cell: str):
    warning = cell.startswith("*")
    return rich.text.Text(cell.lstrip("*"), style="bold red" if warning else "")


def _plain(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (head, ["-" * width for width in widths], *rows)
    ]
    return "\n".join([title, *lines])
