"""Names and messages from elsewhere neither steer a terminal nor become markup of a page or a card."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.common.printable import markdown, printable, printable_json

HOSTILE = {
    "\x1b[2J\x1b]0;owned\x07": r"\x1b[2J\x1b]0;owned\x07",
    "photo\u202egpj.exe": r"photo\u202egpj.exe",
    "two\nlines\r": r"two\x0alines\x0d",
    "\x9b31m": r"\x9b31m",
    "not utf-8 \udcff": r"not utf-8 \xff",
    "\u2066isolated\u2069": r"\u2066isolated\u2069",
    "tag\U000e0041": r"tag\U000e0041",
}


@pytest.mark.parametrize(("text", "shown"), HOSTILE.items())
def test_what_does_not_show_is_written_out(text, shown):
    assert printable(text) == shown


@pytest.mark.parametrize("text", ["Rötliche Ästlinge", "犬", "می‌خواهم", "👩‍🔬", "العربية", "a b\u00a0c"])
def test_names_of_any_language_stay_as_they_are(text):
    assert printable(text) == text


@given(st.text())
def test_anything_can_be_shown_and_encoded(text):
    shown = printable(text)
    shown.encode()
    assert printable(shown) == shown
    assert not any(ord(one) < 32 or 127 <= ord(one) < 160 for one in shown)


@given(st.text())
def test_json_says_the_same_and_holds_no_control_character(text):
    written = printable_json({"name": text}, indent=1)
    assert json.loads(written) == {"name": text}
    assert not any((ord(one) < 32 and one != "\n") or 127 <= ord(one) < 160 for one in written)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("a|b", r"a\|b"),
        ("two\nlines", "two lines"),
        ("[x](http://evil)", r"\[x\](http://evil)"),
        ("`code` *bold* _it_ ~~gone~~", r"\`code\` \*bold\* \_it\_ \~\~gone\~\~"),
        ("&lt;", "&amp;lt;"),
    ],
)
def test_markdown_shows_a_name_as_it_is(text, shown):
    assert markdown(text) == shown
