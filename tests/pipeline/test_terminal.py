"""What is printed of a user's names is what they are."""

import io

import pytest
from rich.table import Table

from pipeline.terminal import make_console, print_line, print_table, styled

NAMES = ["proj [v1]", "[/red]", "[bold]x[/bold]", ":cat:", "[link=https://x]y[/link]", "a*b?", "\\[x]", "[/]"]


@pytest.mark.parametrize("name", NAMES)
def test_no_name_is_markup(name):
    out = io.StringIO()
    console = make_console(file=out)
    print_line(console, "label", name, (name, "red"))
    console.print(name)
    console.print(styled((name, "bold")))
    table = Table(name)
    table.add_row(name)
    table.add_row(styled((name, "green")))
    print_table(table, console)
    assert out.getvalue().count(name) == 7


def test_styles_colour_a_terminal_only():
    plain = io.StringIO()
    print_line(make_console(file=plain), "result", ("refused", "red"), ": why")
    assert plain.getvalue() == f"{'result':<14}refused: why\n"
