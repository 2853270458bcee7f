"""Tables that fit 80 columns, and that are printed whole where nobody's screen limits them; lines with a label."""

from collections.abc import Iterable

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType
from rich.measure import Measurement
from rich.segment import Segment
from rich.table import Table

from components.common.printable import printable

UNLIMITED = 10_000  # columns


class SafeConsole(Console):
    """A console on which nothing but rich itself steers the terminal: codes in names and messages are shown as text."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Rich's way from anything to print to pieces of text with their style."""
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else printable(text, keep="\n"), style, control)


def say(text: str, end: str = "\n") -> None:
    """Prints lines that may hold names of files and classes, or a library's words, as they are."""
    print(printable(text, keep="\n"), end=end, flush=True)


def compact_table(*headers: str) -> Table:
    """Without lines between columns; the first one, of names, is never cut, and the numbers stand to the right."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for number, header in enumerate(headers):
        table.add_column(header, no_wrap=True, overflow="fold", justify="right" if number else "left")
    return table


def print_table(table: Table, console: Console | None = None) -> None:
    """Prints it as wide as it is, unless on a terminal that is narrower."""
    console = console or SafeConsole()
    if not console.is_terminal:
        width = Measurement.get(console, console.options.update(width=UNLIMITED, max_width=UNLIMITED), table).maximum
        console = SafeConsole(file=console.file, width=max(width, console.width), highlight=False)
    console.print(table)


def print_line(console: Console, label: str, text: str) -> None:
    """Prints what stands under a label, on one line however long; rich's markup holds in both."""
    console.print(f"[bold]{label:<14}[/]{text}", highlight=False, soft_wrap=True)
