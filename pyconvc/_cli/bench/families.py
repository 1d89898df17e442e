"""Every benchmark case, family after family; a new family adds its module here."""

from pyconvc._cli.bench import signal

CASES = (*signal.CASES,)
