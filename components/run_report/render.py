"""From the report's content to one HTML file that needs nothing else, and runs nothing."""

from pathlib import Path

from markupsafe import Markup

from components.common.html_pages import page_template
from components.run_report.content import Report

TEMPLATES = Path(__file__).parent / "templates"


def render(report: Report) -> str:
    """Returns the report as HTML; all text in it is escaped."""
    style = Markup((TEMPLATES / "report.css").read_text(encoding="utf-8"))
    return page_template(TEMPLATES, "report.html.j2").render(report=report, style=style)
