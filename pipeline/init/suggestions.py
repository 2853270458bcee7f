"""Settings that suit a folder of images, and why: rules of thumb, each with its reason."""

from dataclasses import dataclass

from pipeline.config.edit import Scalar
from pipeline.init.survey import FolderSurvey
from trainer.scaling import get_variant

PHOTO_SIDE = 96  # pixels; smaller images are kept whole
FLATTEST_PHOTO = 0.15  # of `FolderSurvey.flatness`: above it they are more likely drawings or symbols
MOST_CPU_SIZE = 128  # pixels: on a CPU the time grows with the square of the side
TRAINING_STEPS = 1500  # fewest for a network trained from scratch
LEAST_EPOCHS, MOST_EPOCHS = 6, 40
BATCH = 32
IMBALANCE = 5.0  # images of the largest over those of the smallest class
FINE_TUNING_EPOCHS = 10  # of the network, on a GPU
HEAD_TRIALS = 50
REFERENCE_SIZE = 224


@dataclass(frozen=True)
class Suggestion:
    """A setting of pipeline.yaml and the reason for it."""

    key: str
    value: Scalar
    reason: str


@dataclass(frozen=True)
class StartingWeights:
    """Published weights: `model.weights`, the variant that they are of, and `model.weights_sha256`."""

    weights: str
    variant: str
    sha256: str | None = None


def suggest(found: FolderSurvey, gpu: bool, start: StartingWeights | None = None) -> list[Suggestion]:
    """Settings other than the shipped ones.

    Args:
      found: the folder.
      gpu: whether the machine has one.
      start: the published weights to start from; None: from scratch.
    """
    side, *_ = found.shorter_sides
    large = side >= PHOTO_SIDE
    majority = max(found.classes.values()) / found.images
    smallest = min(found.classes.values())
    suggestions = [*(_fine_tuning(start, gpu) if start else _from_scratch(found, gpu))]
    suggestions += [
        Suggestion(
            "transform.resize",
            "crop" if large else "squash",
            "large pictures: the centre, with its proportions" if large else "small pictures: everything is kept",
        ),
        _flips(found),
    ]
    if found.group_pattern:
        reason = "file names show which images belong together: they stay in one split; set null if they do not"
        suggestions.append(Suggestion("data.group_pattern", found.group_pattern, reason))
    if max(found.classes.values()) / smallest > IMBALANCE:
        reason = f"the largest class has {max(found.classes.values()) / smallest:.0f} times the images of the smallest"
        suggestions.append(Suggestion("train.class_balance", "weights", reason))
    if smallest * 0.6 < 10:
        least = max(int(smallest * 0.5), 1)
        suggestions.append(Suggestion("data.min_images_per_class", least, f"the smallest class has {smallest} images"))
    if found.looked_at and (bad := len(found.problems) / found.looked_at) > 0.05:
        bound = min(round(bad * 1.5, 2), 1.0)
        suggestions.append(
            Suggestion("data.max_bad_fraction", bound, f"{bad:.0%} of the files are unreadable as images; check them")
        )
    floor = round(majority + 0.25 * (1 - majority), 2)
    suggestions.append(
        Suggestion(
            "evaluate.min_accuracy", floor, f"always answering the largest class is right for {majority:.0%}; raise it"
        )
    )
    return suggestions


def training_images(found: FolderSurvey) -> float:
    """About how many images are in the train split."""
    return found.images * (1.0 if found.given_splits else 0.75)


def _fine_tuning(start: StartingWeights, gpu: bool) -> list[Suggestion]:
    size = get_variant(start.variant).resolution
    hash_ = [Suggestion("model.weights_sha256", start.sha256, "as you asked")] if start.sha256 else []
    few = "the classifier trains on features in seconds; 5 or more train the network after it, where there is time"
    return [
        Suggestion("model.variant", start.variant, "the network of the published weights"),
        Suggestion("model.image_size", size, "what the published weights were trained on"),
        Suggestion("model.weights", start.weights, "published weights learn from few images"),
        *hash_,
        Suggestion("train.recipe", "finetune", "goes with published weights"),
        Suggestion("train.epochs", FINE_TUNING_EPOCHS if gpu else 0, "published weights need few" if gpu else few),
        Suggestion("tune.trials", HEAD_TRIALS, "trials on the network's features take seconds"),
    ]


def _from_scratch(found: FolderSurvey, gpu: bool) -> list[Suggestion]:
    side, *_ = found.shorter_sides
    size = _image_size(side, gpu)
    train = training_images(found)
    wanted = round(TRAINING_STEPS * BATCH / train)
    reason = f"training from scratch needs about {TRAINING_STEPS:,} steps, and an epoch has {train / BATCH:.0f}"
    if wanted > MOST_EPOCHS:
        reason += f"; {wanted} epochs would take too long, --weights imagenet does better with few images"
    return [
        Suggestion("model.variant", "b0", "the smallest network; try b2 on a GPU once this one runs"),
        Suggestion("model.image_size", size, _size_reason(side, size, gpu)),
        Suggestion("train.epochs", min(max(wanted, LEAST_EPOCHS), MOST_EPOCHS), reason),
    ]


def _flips(found: FolderSurvey) -> Suggestion:
    """Mirror images, where they show the same: decided by content and names, not by size."""
    key = "train.augment.horizontal_flip"
    if all(len(name) == 1 for name in found.classes):
        return Suggestion(key, False, "the classes look like digits or letters, which mirroring changes")
    if found.flatness > FLATTEST_PHOTO:
        share = f"{found.flatness:.0%} of neighbouring pixels have one colour"
        return Suggestion(key, False, f"{share}: more likely drawings or symbols, which mirroring may change")
    return Suggestion(key, True, "a mirrored photo shows the same; set false if left and right matter")


def _image_size(side: float, gpu: bool) -> int:
    most = REFERENCE_SIZE if gpu else MOST_CPU_SIZE
    return int(min(max(side // 32 * 32, 64), most))


def _size_reason(side: float, size: int, gpu: bool) -> str:
    if side < size:
        return f"the images have {side:.0f} pixels; the network halves the side five times and needs {size}"
    if size < side and not gpu:
        return f"the images have {side:.0f} pixels; on a CPU, more than {size} takes long"
    return f"the images have {side:.0f} pixels a side"
