"""The segments of a JPEG: where its picture ends, and the same file without what is no pixel."""

import re
from collections.abc import Iterator

START = b"\xff\xd8"
# Not segments: 0xff as a pixel's byte (followed by 0), marks without content (1, restarts, the start) and fill bytes.
MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]", re.DOTALL)
SCAN, END = 0xDA, 0xD9
_HUFFMAN_SEQUENTIAL = (0xC0, 0xC1)
# Which notes say something about colours: JFIF's own, if it is whole, and Adobe's.
_JFIF, _ADOBE, _COMMENT = 0xE0, 0xEE, 0xFE
_JFIF_LENGTH, _JFIF_VERSION = 16, 9  # bytes of its content; where its version stands in the segment
_NOTES = range(0xE0, 0xF0)
_SEQUENTIAL = b"\x00\x3f\x00"  # what a scan that is not progressive has to say of itself


def segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yields (kind, begin, end) of each segment up to the end mark, where `end` is that of its content, at most.

    A thumbnail's segments, inside one of these, do not count, nor does whatever phones append behind the end. The
    compressed pixels lie between a scan's segment and the next one.
    """
    position = len(START)
    while segment := MARKER.search(data, position):
        kind = segment[0][1]
        if kind == END:
            yield kind, segment.start(), segment.end()
            return
        position = segment.end() + int.from_bytes(data[segment.end() : segment.end() + 2], "big")
        yield kind, segment.start(), min(position, len(data))


def without_notes(data: bytes, colours: bool) -> bytes:
    """Returns a JPEG with the same pixels and no notes, stray bytes in front of the pixels or odd numbers in headers.

    Args:
        data: a JPEG with an end mark.
        colours: whether to keep what tells how its components are colours.
    """
    pieces, sequential, scanned = [START], False, 0
    for kind, begin, end in segments(data):
        if scanned:
            pieces.append(data[scanned:begin])
        elif kind in _HUFFMAN_SEQUENTIAL:
            sequential = True
        elif kind == _COMMENT or kind in _NOTES:
            whole_jfif = kind == _JFIF and end - begin >= 2 + _JFIF_LENGTH
            if not (colours and (whole_jfif or kind == _ADOBE)):
                continue
            if whole_jfif:  # of a version that every reader knows
                pieces += [data[begin:][:_JFIF_VERSION], b"\1\1", data[begin + _JFIF_VERSION + 2 : end]]
                continue
        if scanned or kind == SCAN:
            scanned = end
        odd = kind == SCAN and sequential
        pieces.append(data[begin : end - len(_SEQUENTIAL)] + _SEQUENTIAL if odd else data[begin:end])
    return b"".join(pieces)
