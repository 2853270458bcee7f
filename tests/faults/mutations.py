"""Bytes as a broken disk, a cut transfer or a hostile sender leaves them, made from sound ones."""

import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

# `make fuzz` sets it, nightly.
FUZZ = settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "60")),
    deadline=10_000,  # ms an item
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)

EXTREMES = [b"\xff" * 8, b"\x00" * 8, b"\x7f" + b"\xff" * 7, b"\x80" + b"\x00" * 7]


@st.composite
def mutated(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """One of the seeds with some of its bytes overwritten, left out, repeated or put in, or cut short."""
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, 6))):
        if not data:
            break
        at = draw(st.integers(0, len(data) - 1))
        kind = draw(st.sampled_from(["overwrite", "remove", "insert", "repeat", "cut", "extreme"]))
        if kind == "overwrite":
            new = draw(st.binary(min_size=1, max_size=8))
            data[at : at + len(new)] = new
        elif kind == "remove":
            del data[at : at + draw(st.integers(1, 64))]
        elif kind == "insert":
            data[at:at] = draw(st.binary(min_size=1, max_size=64))
        elif kind == "repeat":
            piece = bytes(data[at : at + draw(st.integers(1, 64))])
            data[at:at] = piece * draw(st.integers(1, 40))
        elif kind == "extreme":
            data[at : at + 8] = draw(st.sampled_from(EXTREMES))
        else:
            del data[at:]
    return bytes(data)
