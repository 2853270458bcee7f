"""Control characters and markup in names of classes and files: in the terminal, the card, the page and its figures."""

import io
import xml.etree.ElementTree
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from components.atomic_pusher.model_card import make_card
from components.run_report.plots import class_bars, confusion
from pipeline.terminal import SafeConsole
from tests.components.atomic_pusher.test_model_card import INFO, VERDICT
from tests.components.common.test_printable import HOSTILE
from tests.faults.tiny_project import effnet

pytestmark = pytest.mark.command

NAMES = (*HOSTILE, "<img src=x onerror=alert(1)>", "a|b\n| c | d |", "$x^", "[/red]")


def is_harmless(text: str) -> bool:
    return not any(ord(one) < 32 or 127 <= ord(one) < 160 or one in "\u202e\u2066" for one in text.replace("\n", ""))


@pytest.mark.parametrize("name", NAMES)
def test_the_console_passes_no_code_on(name):
    out = io.StringIO()
    console = SafeConsole(file=out, force_terminal=False)
    console.print(name, markup=False)
    assert is_harmless(out.getvalue())


def test_colours_of_our_own_stay():
    out = io.StringIO()
    SafeConsole(file=out, force_terminal=True, color_system="standard").print("[red]x\x1b[2J[/]", highlight=False)
    assert out.getvalue() == "\x1b[31mx\\x1b[2J\x1b[0m\n"


@pytest.mark.parametrize("name", NAMES)
def test_the_card_stays_one_table_and_holds_no_html(name):
    card, plain = card_of(name), card_of("x")
    assert is_harmless(card) and "<img" not in card
    assert len(card.splitlines()) == len(plain.splitlines())


def card_of(name: str) -> str:
    verdict = replace(VERDICT, recall={name: 0.5}, confused=[(name, name, 3)], notes=[name])
    return make_card({**INFO, "classes": [name], "note": name}, verdict, None, f"/artifacts/{name}")


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_with_such_a_class_is_sound_svg(name):
    for drawn in (class_bars(name, ["train"], {name: [3]}), confusion(name, np.eye(1, dtype=int), [name])):
        xml.etree.ElementTree.fromstring(drawn.replace("xlink:href", "href"))
        assert is_harmless(drawn)


def test_init_shows_names_and_writes_a_file_that_can_be_read(tmp_path):
    for name in ("\x1b[31mred", "photo\u202egpj", "new\nline: [", "<b>"):
        folder = tmp_path / "photos" / name
        folder.mkdir(parents=True)
        for number in range(12):
            Image.new("RGB", (40, 40), (number * 20, 0, 0)).save(folder / f"{number}\x1b[2J.png")
    done = effnet(tmp_path, "init", "photos", "--no-measure")
    assert done.returncode == 0, done.stderr
    assert is_harmless(done.stdout + done.stderr)
    assert effnet(tmp_path, "config").returncode == 0


def test_an_error_about_a_name_does_not_steer_the_terminal(tmp_path):
    done = effnet(tmp_path, "config", "--set", "data.\x1b[2Jpath=1", "--quick-start")
    assert done.returncode == 2
    assert is_harmless(done.stderr) and r"\x1b" in done.stderr
