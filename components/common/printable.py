"""Text from elsewhere (names of files and classes, messages of libraries) made harmless to show.

A name may hold anything: the codes that steer a terminal, the marks that turn the direction of writing so that
`gpj.exe` looks like `exe.jpg`, and bytes that are not UTF-8.
"""

import json
import re
from typing import Any

# C0 and C1 controls, DEL; the direction marks, embeddings, overrides and isolates of Unicode's annex 9; what has no
# width; separators of lines; surrogates; tags. The joiners U+200C and U+200D stay: scripts and emoji need them.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
_MARKDOWN = re.compile(r"([\\`*_\[\]|~])")


def printable(text: str, keep: str = "") -> str:
    r"""Returns text in which characters that do not show are written as escapes, such as \x1b or \u202e.

    Args:
        text: any.
        keep: of these characters, what stays as it is, such as line breaks.
    """
    return _UNSAFE.sub(lambda match: match[0] if match[0] in keep else _escape(match[0]), text)


def printable_json(value: Any, **options: Any) -> str:
    """Returns what `json.dumps` does with these options, readable, and nothing in it steers a terminal."""
    text = json.dumps(value, ensure_ascii=False, **options)
    return _UNSAFE.sub(lambda match: match[0] if match[0] == "\n" else json.dumps(match[0])[1:-1], text)


def markdown(value: object) -> str:
    """Returns a value as text that Markdown shows as it is, on one line: no markup, no HTML, no end of a cell."""
    text = printable(" ".join(str(value).split("\n")))
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKDOWN.sub(r"\\\1", text)


def _escape(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8, as Python keeps it in names
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
