"""``python -m pyconvc``: see ``python -m pyconvc --help``."""

from pyconvc._cli import main

if __name__ == "__main__":
    raise SystemExit(main())
