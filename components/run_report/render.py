"""From the report's content to one HTML file that needs nothing else, and runs nothing."""

from pathlib import Path

import jinja2
from markupsafe import Markup

from components.common.printable import finalize
from components.run_report.content import Report

TEMPLATES = Path(__file__).parent / "templates"


def render(report: Report) -> str:
    """Returns the report as HTML; all text in it is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        finalize=finalize,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = Markup((TEMPLATES / "report.css").read_text(encoding="utf-8"))
    return environment.get_template("report.html.j2").render(report=report, style=style)
