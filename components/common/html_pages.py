"""How this project's HTML pages are made from Jinja templates: all text in them is escaped, and shows what it holds."""

from pathlib import Path
from typing import Any

import jinja2

from components.common.printable import printable


def page_template(folder: Path, name: str) -> jinja2.Template:
    """Returns the template of that name in `folder`; a value that it misses is an error when it is rendered."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        finalize=_shown,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)


def _shown(value: Any) -> Any:
    """Text as `printable` returns it, all else (markup too) as it is."""
    return printable(value, keep="\n\t") if type(value) is str else value
