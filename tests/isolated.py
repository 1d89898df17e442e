"""Python code run in a process of its own, killed if it hangs."""

import os
import subprocess
import sys
import textwrap

HANG_SECONDS = 120


def run_python(code, directory, **environment):
    """What `code` prints, run in `directory` (so that the installed pyconvc is imported)."""
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        cwd=directory,
        env=os.environ | environment,
        timeout=HANG_SECONDS,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout
