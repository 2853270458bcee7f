"""Asks a pushed model on this stack what its trainer, on whichever stack, was answered; python answers.py SERVED."""

import sys
from pathlib import Path

from components.serving_check.expected import read_expected
from components.serving_check.probe import probe
from components.serving_check.verdict import largest_difference

ALLOWED = 1e-5

newest = max(Path(sys.argv[1]).glob("[0-9]*"), key=lambda path: int(path.name), default=None)
if newest is None:
    sys.exit(f"error: no model was pushed to {sys.argv[1]}")
expected = read_expected(str(newest))
if expected is None:
    sys.exit(f"error: {newest} holds no answers of its trainer")
answers = probe(str(newest), expected.images)["answers"]["probabilities"]
difference = largest_difference(answers, expected.probabilities)
print(f"{newest}: {len(answers)} images, answers differ by {difference:.1e} at most ({ALLOWED:.0e} allowed)")
sys.exit(not difference <= ALLOWED)  # NaN is not
