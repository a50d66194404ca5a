"""Sphinx settings of the documentation; `make docs` builds it and treats warnings as errors."""

from __future__ import annotations

import re

from sphinx.application import Sphinx

import honeytrace

project = "honeytrace"
author = "the honeytrace developers"
copyright = author
release = version = honeytrace.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_copybutton"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build", "includes"]

html_theme = "furo"
html_title = "honeytrace"
# nothing is loaded from elsewhere when a page is read
html_theme_options = {"source_edit_link": "", "top_of_page_buttons": []}
html_show_sphinx = False

myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence", "deflist"]
# pages link to source files, tests and the changelog, which are outside the site
suppress_warnings = ["myst.xref_missing"]

autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": False}
copybutton_prompt_text = "$ "
nitpicky = False
default_role = "code"

_PARAMETER = re.compile(r"^(\w+(?:, \w+)*(?: \([^)]*\))?): ")


def _list_parameters(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Turn the `name: text` lines of our docstrings into a list, as help() shows them."""
    listed: list[str] = []
    inside = False
    for line in lines:
        found = _PARAMETER.match(line)
        if found and not inside and listed and listed[-1]:
            listed.append("")
        if found:
            inside = True
            names = ", ".join(f"`{each}`" for each in found[1].split(", "))
            line = f"* {names}: {line[found.end() :]}"
        elif inside and re.match(r"Raises? |Source: ", line):
            listed.append("")
            inside = False
        elif inside and line:
            line = "  " + line.lstrip()
        inside = inside and bool(line)
        listed.append(line)
    lines[:] = listed


def setup(app: Sphinx) -> None:
    app.connect("autodoc-process-docstring", _list_parameters)
