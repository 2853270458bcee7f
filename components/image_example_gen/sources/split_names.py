"""Which split a folder's or a file's name means: train, Training, seg_train, test-00000-of-00001."""

import re

SPLIT_WORDS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "eval",
    "testing": "eval",
    "eval": "eval",
    "evaluation": "eval",
}
# Of folders with images that nobody has labelled yet.
UNLABELLED_WORDS = frozenset({"pred", "predict", "prediction", "unlabelled", "unlabeled", "inference", "submission"})

_NEXT_WORD = re.compile(r"(?<=[a-z])(?=[A-Z])")


def split_of_word(word: str) -> str:
    """Returns "train", "val" or "eval" for a name that is nothing but a split's, in any case; else ""."""
    return SPLIT_WORDS.get(word.strip().lower(), "")


def split_of_name(name: str) -> str:
    """Returns the one split among the words of a path, as in val/0.tar or a-train.tfrecord-00000-of-00010; else ""."""
    named = {SPLIT_WORDS[word] for word in _words(name) if word in SPLIT_WORDS}
    return named.pop() if len(named) == 1 else ""


def says_unlabelled(name: str) -> bool:
    """Tells whether a name says that its images have no labels."""
    return not UNLABELLED_WORDS.isdisjoint(_words(name))


def _words(name: str) -> list[str]:
    """The words of a path, in lower case; trainLabels has two."""
    return re.split(r"[^a-z]+", _NEXT_WORD.sub(" ", name).lower())
