"""Output of commands: consoles that take no text for markup, lines with a label, tables that fit 80 columns.

Names of files, folders and classes are the user's: `proj [v1]`, `[/red]` and `:cat:` are printed as they are. What has
a colour is a `Text`, made by `styled`; rich's markup in strings is not used.
"""

from collections.abc import Iterable
from typing import Any

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType
from rich.measure import Measurement
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from components.common.printable import printable

UNLIMITED = 10_000  # columns


class SafeConsole(Console):
    """A console on which only rich itself controls the terminal: codes in names and messages are shown as text."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Rich's way from anything to print to pieces of text with their style."""
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else printable(text, keep="\n"), style, control)


def make_console(**options: Any) -> SafeConsole:
    """The one kind of console that commands print on; options as for rich's."""
    return SafeConsole(markup=False, emoji=False, highlight=False, **options)


def styled(*parts: str | tuple[str, str]) -> Text:
    """A text of parts, each a string or a pair of text and style, such as ("refused", "red")."""
    return Text.assemble(*parts)


def say(text: str, end: str = "\n") -> None:
    """Prints lines that may hold names of files and classes, or messages of libraries, as they are."""
    print(printable(text, keep="\n"), end=end, flush=True)


def compact_table(*headers: str) -> Table:
    """A table without lines between columns; the first, of names, is never cut, and numbers are right-aligned."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for number, header in enumerate(headers):
        table.add_column(header, no_wrap=True, overflow="fold", justify="right" if number else "left")
    return table


def print_table(table: Table, console: Console | None = None) -> None:
    """Prints a table in its full width, unless the terminal is narrower."""
    console = console or make_console()
    if not console.is_terminal:
        width = Measurement.get(console, console.options.update(width=UNLIMITED, max_width=UNLIMITED), table).maximum
        console = make_console(file=console.file, width=max(width, console.width))
    console.print(table)


def print_line(console: Console, label: str, *text: str | tuple[str, str]) -> None:
    """Prints a label and a text on one line, however long; parts as for `styled`."""
    console.print(styled((f"{label:<14}", "bold"), *text), soft_wrap=True)
