"""What a candidate must fulfil beyond TFMA's thresholds, and whether it does."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from components.gated_evaluator.slices import Slice

# Rounding must not refuse a model that equals the served one.
EQUAL_IS_ENOUGH = 1e-6


@dataclass(frozen=True)
class Rules:
    """Rules that TFMA cannot express.

    Attributes:
        min_recall: floor for the recall of every class, 0 to 1; None: no floor.
        class_recall: floors for single classes, by name, instead of `min_recall`.
        min_slice_accuracy: floor for the accuracy on every size and brightness of images, 0 to 1; None: no floor.
        min_examples: a class or kind of images with fewer eval images is not judged.
        max_drop: with `confidence`: largest drop of accuracy against the served model.
        confidence: the drop must be within `max_drop` with 95 % confidence, not only as measured.
        refuse_other_classes: refuse a candidate whose classes are not the served model's; else its floors decide.
    """

    min_recall: float | None = None
    class_recall: dict[str, float] = field(default_factory=dict)
    min_slice_accuracy: float | None = None
    min_examples: int = 1
    max_drop: float = 0.0
    confidence: bool = False
    refuse_other_classes: bool = True


@dataclass(frozen=True)
class ClassResult:
    """A class's share of images that were recognised, 0 to 1, and the number of images."""

    recall: float
    examples: int


@dataclass(frozen=True)
class Judgement:
    """Why a candidate is refused, and what else is worth knowing; each a line."""

    problems: list[str]
    notes: list[str]


def judge_classes(classes: dict[str, ClassResult], rules: Rules, known: Collection[str] = ()) -> Judgement:
    """Holds each class's recall against its floor.

    A class with a floor that has no images, or one of its own and too few, is a problem: its floor could not say no.

    Args:
        classes: by name, those with eval images.
        rules: the floors.
        known: all classes of the candidate, as far as they are known.
    """
    problems, notes = [], []
    for name in sorted(rules.class_recall.keys() - classes.keys()):
        problems.append(f"class {name} has a floor, but no eval images; the classes are {', '.join(sorted(classes))}")
    without = [name for name in known if name not in classes]
    if without:
        notes.append(f"no eval images, so that nothing judges them: {', '.join(without)}")
    if rules.min_recall is not None:
        problems += [
            f"class {name} has no eval images, so that it cannot meet the floor of {rules.min_recall:g} for its recall"
            for name in without
            if name not in rules.class_recall
        ]
    unjudged = []
    for name, result in sorted(classes.items()):
        floor = rules.class_recall.get(name, rules.min_recall)
        if floor is None:
            continue
        if result.examples < rules.min_examples:
            unjudged.append(f"{name} ({result.examples})")
            if name in rules.class_recall:
                problems.append(
                    f"class {name} has a floor, but only {result.examples} eval images; expected {rules.min_examples}"
                )
        elif not result.recall >= floor:
            problems.append(f"recall of class {name} is {result.recall:.4f} on {result.examples}, below {floor:g}")
    if unjudged:
        notes.append(f"fewer than {rules.min_examples} eval images, recall not judged: {', '.join(unjudged)}")
    return Judgement(problems, notes)


def judge_slices(slices: Sequence[Slice], rules: Rules) -> Judgement:
    """Holds the accuracy on each kind of images against its floor."""
    floor = rules.min_slice_accuracy
    if floor is None:
        return Judgement([], [])
    judged = [kind for kind in slices if kind.examples >= rules.min_examples]
    problems = [
        f"accuracy on images of {kind.feature} {kind.value} is {kind.accuracy:.4f} on {kind.examples}, below {floor:g}"
        for kind in judged
        if not kind.accuracy >= floor
    ]
    unjudged = ", ".join(f"{kind.value} ({kind.examples})" for kind in slices if kind not in judged)
    notes = [f"fewer than {rules.min_examples} eval images, accuracy not judged: {unjudged}"] if unjudged else []
    return Judgement(problems, notes if judged else [*notes, "no kind of images was judged"])


def judge_change(interval: tuple[float, float] | None, rules: Rules) -> list[str]:
    """Holds the change of accuracy against the served model, given as its 95 % interval, against the allowed drop."""
    if not rules.confidence:
        return []
    if interval is None:
        return ["the confidence interval of the change of accuracy is missing"]
    low, high = interval
    if low >= -rules.max_drop - EQUAL_IS_ENOUGH:
        return []
    return [
        f"accuracy changed by {low:+.4f} to {high:+.4f} against the served model with 95 % confidence: "
        f"a drop of more than {rules.max_drop:g} is not excluded"
    ]


def compare_class_lists(candidate: list[str] | None, served: list[str] | None) -> str:
    """Says how two models' classes differ, in label order; "" if they do not, or one of the lists is not known."""
    if candidate is None or served is None or candidate == served:
        return ""
    added = ", ".join(name for name in candidate if name not in served)
    gone = ", ".join(name for name in served if name not in candidate)
    parts = [f"new: {added}"] * bool(added) + [f"gone: {gone}"] * bool(gone)
    return "; ".join(parts) or "in another order"
