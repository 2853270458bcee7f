"""What a person should know of the classes before anything is trained on them."""

import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence

from components.common.human_format import some


def note_similar_names(classes: Sequence[str]) -> list[str]:
    """Names the classes that differ only in case, blanks or Unicode form: they are rather one class."""
    alike = defaultdict(list)
    for name in classes:
        alike["".join(unicodedata.normalize("NFKC", name).casefold().split())].append(name)
    groups = [" and ".join(map(repr, names)) for names in alike.values() if len(names) > 1]
    if not groups:
        return []
    return [
        f"classes whose names differ only in case, blanks or Unicode form: {some(groups)}; rename them if they are one"
    ]


def note_without_eval(eval_images: Mapping[str, int]) -> list[str]:
    """Names the classes that nothing judges.

    Args:
        eval_images: class -> images of the eval split; all 0 where there is no eval split, which is another fault.
    """
    without = [name for name, count in eval_images.items() if not count]
    if not without or len(without) == len(eval_images):
        return []
    return [f"classes without eval images, which nothing judges: {some(without)}; add images of them to the eval split"]
