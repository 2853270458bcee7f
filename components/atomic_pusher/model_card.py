"""The model card: what a person wants to know of a pushed model, in Markdown, beside it."""

from collections.abc import Iterable, Iterator, Mapping

from components.common.metrics import in_order
from components.common.model_info import ModelInfo
from components.common.printable import markdown
from components.gated_evaluator.verdict import GateVerdict
from components.serving_check.report import ServingReport

CARD_FILE = "assets.extra/model_card.md"
# Keys of the trainer's model.json that have a place of their own in the card.
TOLD_APART = ("classes", "variant", "image_size")


def make_card(info: ModelInfo, verdict: GateVerdict, serving: ServingReport | None, model_uri: str) -> str:
    """Returns the card.

    Args:
        info: what the trainer wrote down of the model; may be empty.
        verdict: GatedEvaluator's.
        serving: ServingCheck's report, if there is one.
        model_uri: the artifact that is pushed.
    """
    sections = [
        f"# EfficientNet-{info.get('variant', '?').upper()}, {len(info.get('classes') or verdict.recall)} classes",
        "An image classifier. It takes encoded images (JPEG, PNG, BMP, GIF) of any size, scales them to "
        f"{info.get('image_size', '?')} pixels a side, and answers with a probability for each class.",
        _list("Classes, in label order", info.get("classes", [])),
        "## Quality\n\nOn images that took no part in training or tuning:",
        _table(
            ("metric", "value"), ((metric.label, metric.text(value)) for metric, value in in_order(verdict.metrics))
        ),
        _confidence(verdict),
        _compared(verdict),
        _table(("class", "recall"), _recalls(info.get("classes", []), verdict.recall)),
    ]
    if verdict.slices:
        rows = (
            (
                f"{kind.feature.replace('_', ' ')}: {kind.value}",
                f"{kind.accuracy:.4f}",
                kind.examples,
                "{:.4f} to {:.4f}".format(*kind.interval),
            )
            for kind in verdict.slices
        )
        sections.append(_table(("kind of images", "accuracy", "images", "95 % confidence"), rows))
    if verdict.confused:
        sections.append("Taken for each other most often:")
        sections.append(_table(("class", "taken for", "images"), verdict.confused))
    sections += [f"Note: {markdown(note)}." for note in verdict.notes]
    if serving and serving.measured:
        measured = serving.measured
        costs = [(f"{name} (ms)".replace("_", " "), f"{ms:.1f}") for name, ms in measured.latency_ms.items()]
        costs += [("size (MB)", f"{measured.size_mb:.1f}"), ("memory (MB)", f"{measured.memory_mb:.0f}")]
        sections += ["## Serving\n\nOn the CPU of the machine that pushed it:", _table(("cost", "value"), costs)]
    training = [(key, value) for key, value in info.items() if key not in TOLD_APART]
    sections += ["## Training", _table(("setting", "value"), training), f"Artifact: {markdown(model_uri)}"]
    return "\n\n".join(section for section in sections if section) + "\n"


def _metrics(verdict: GateVerdict) -> Iterable[tuple[str, str]]:
    return ((metric.label, metric.text(value)) for metric, value in in_order(verdict.metrics))


def _recalls(classes: Iterable[str], recall: Mapping[str, float]) -> Iterator[tuple[str, str]]:
    for name in dict.fromkeys([*recall, *classes]):
        yield name, f"{recall[name]:.4f}" if name in recall else "no eval images"


def _confidence(verdict: GateVerdict) -> str:
    if verdict.accuracy_interval is None:
        return ""
    return "The accuracy lies within {:.4f} to {:.4f} with 95 % confidence.".format(*verdict.accuracy_interval)


def _compared(verdict: GateVerdict) -> str:
    if verdict.baseline_accuracy is None:
        return ""
    return f"The version served before, {verdict.baseline_version}, had accuracy {verdict.baseline_accuracy:.4f}."


def _list(title: str, items: Iterable[str]) -> str:
    names = ", ".join(map(markdown, items))
    return f"{title}: {names}." if names else ""


def _table(head: tuple[str, ...], rows: Iterable[Iterable[object]]) -> str:
    lines = [" | ".join(head), " | ".join("---" for _ in head)]
    # A class may be called anything, such as what ends the cell or is HTML.
    lines += [" | ".join(map(markdown, row)) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)
