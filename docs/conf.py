"""Sphinx configuration; `make docs` builds with warnings as errors."""

import re

import pyconvc

project = "pyconvc"
author = "pyconvc developers"
copyright = f"2026, {author}"
release = version = pyconvc.__version__

extensions = [
    "matplotlib.sphinxext.plot_directive",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
]
default_role = "py:obj"
exclude_patterns = ["_build"]

autodoc_member_order = "bysource"
autodoc_typehints = "none"
numpydoc_show_class_members = False

plot_formats = [("svg", 72)]
plot_html_show_formats = False
plot_html_show_source_link = False
plot_include_source = False

html_theme = "furo"
html_title = f"pyconvc {release}"


def escape_stars(app, what, name, obj, options, lines):
    """Keep the star of shapes such as (N, C, *space) from opening an emphasis."""
    for i, line in enumerate(lines):
        if "``" not in line and not line.lstrip().startswith((">>>", "...")):
            lines[i] = re.sub(r"(?<![\w*])\*(?=\w+[,)])", r"\\*", line)


def setup(app):
    """Sphinx calls this."""
    app.connect("autodoc-process-docstring", escape_stars, priority=600)  # after numpydoc
