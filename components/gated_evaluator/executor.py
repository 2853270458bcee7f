"""TFX's Evaluator for a baseline that may not exist, and with rules that TFMA cannot express."""

import json

from tfx.components.evaluator import constants
from tfx.components.evaluator import executor as evaluator_executor
from tfx.types import Artifact, artifact_utils, standard_component_specs
from tfx.utils import path_utils

from components.common import beam_output, files
from components.common.csv_table import csv_text
from components.common.errors import GateError
from components.common.example_counts import noted_counts
from components.common.executor_types import Artifacts, ExecProperties
from components.common.metrics import ACCURACY, EXAMPLES
from components.common.model_info import read_model_info
from components.gated_evaluator.needs_a_threshold import require_absolute_threshold
from components.gated_evaluator.results import (
    BASELINE,
    CANDIDATE,
    read_confusions,
    read_evaluation,
    read_failures,
)
from components.gated_evaluator.rules import (
    Judgement,
    Rules,
    compare_class_lists,
    judge_change,
    judge_classes,
    judge_slices,
)
from components.gated_evaluator.slices import wilson_interval
from components.gated_evaluator.verdict import GateVerdict, write_verdict
from components.served_model.versions import ServedVersion, read_served

RULES = "rules"
CONFUSED_PAIRS = 10
CONFUSION_FILE = "confusion.csv"


class Executor(evaluator_executor.Executor):
    """Leaves the baseline out when there is none to compare with; TFMA then drops the thresholds on the change too."""

    def Do(
        self,
        input_dict: Artifacts,
        output_dict: Artifacts,
        exec_properties: ExecProperties,
    ) -> None:
        """Evaluates the candidate; inputs, outputs and parameters are Evaluator's, and `rules`.

        Raises:
            GateError: if no metric has an absolute threshold, or nothing was evaluated.
            RuntimeError: if examples were lost on the way.
            OSError: if the baseline was not written by ServedModel.
        """
        require_absolute_threshold(exec_properties[standard_component_specs.EVAL_CONFIG_KEY])
        rules = Rules(**json.loads(exec_properties[RULES]))
        served, before = find_baseline(input_dict, rules)
        if not served:
            input_dict = {
                key: value for key, value in input_dict.items() if key != standard_component_specs.BASELINE_MODEL_KEY
            }
        beam_output.empty(output_dict)
        super().Do(input_dict, output_dict, exec_properties)
        beam_output.delete_temporary(output_dict)

        uri = artifact_utils.get_single_uri(output_dict[standard_component_specs.EVALUATION_KEY])
        measured = read_evaluation(uri, CANDIDATE)
        if measured is None:
            raise GateError("got no accuracy of the candidate, expected eval images: look at data.split and the log")
        examples = artifact_utils.get_single_instance(input_dict[standard_component_specs.EXAMPLES_KEY])
        splits = json.loads(exec_properties[standard_component_specs.EXAMPLE_SPLITS_KEY])
        evaluated, expected = round(measured.metrics[EXAMPLES]), sum(noted_counts(examples, splits).values())
        if evaluated != expected:
            raise RuntimeError(f"examples were lost: {evaluated} of {expected} were evaluated")
        baseline = read_evaluation(uri, BASELINE) if served else None
        names = read_classes(artifact_utils.get_single_uri(input_dict[standard_component_specs.MODEL_KEY]))
        by_class = judge_classes(measured.classes, rules, names or ())
        by_slice = judge_slices(measured.slices, rules)
        problems = [*read_failures(uri), *before.problems, *by_class.problems, *by_slice.problems]
        if baseline:
            problems += judge_change(measured.change, rules)
        confusions = read_confusions(uri, CANDIDATE)
        verdict = GateVerdict(
            blessed=not problems,
            accuracy=measured.metrics[ACCURACY],
            metrics=measured.metrics,
            recall={name: result.recall for name, result in sorted(measured.classes.items())},
            confused=name_confusions(confusions, names),
            baseline_version=served,
            baseline_accuracy=baseline.metrics[ACCURACY] if baseline else None,
            problems=problems,
            notes=[*before.notes, *by_class.notes, *by_slice.notes],
            accuracy_interval=wilson_interval(measured.metrics[ACCURACY], round(measured.metrics[EXAMPLES])),
            slices=measured.slices,
            served_fingerprint=served_then(input_dict).fingerprint,
        )
        blessing = artifact_utils.get_single_instance(output_dict[standard_component_specs.BLESSING_KEY])
        files.write_text(files.join(uri, CONFUSION_FILE), confusion_table(confusions, names))
        write_verdict(uri, verdict)
        write_verdict(blessing.uri, verdict)
        if not verdict.blessed:
            withdraw(blessing)


def served_then(input_dict: Artifacts) -> ServedVersion:
    """Returns what ServedModel found; nothing if the pipeline has no such step."""
    baseline = input_dict.get(standard_component_specs.BASELINE_MODEL_KEY)
    return read_served(artifact_utils.get_single_uri(baseline)) if baseline else ServedVersion()


def find_baseline(input_dict: Artifacts, rules: Rules) -> tuple[str, Judgement]:
    """Returns the served version to compare with, "" for none, and what is to be said of it."""
    served = served_then(input_dict).version
    if not served:
        return "", Judgement([], ["nothing is served to compare with: the floors alone decided"])
    candidate = artifact_utils.get_single_uri(input_dict[standard_component_specs.MODEL_KEY])
    baseline = artifact_utils.get_single_uri(input_dict[standard_component_specs.BASELINE_MODEL_KEY])
    difference = compare_class_lists(read_classes(candidate), read_classes(baseline))
    if not difference:
        return served, Judgement([], [])
    line = f"the classes are not those of the served version {served} ({difference})"
    if rules.refuse_other_classes:
        return "", Judgement([f"{line}; with evaluate.other_classes=floors the floors alone decide"], [])
    return "", Judgement([], [f"{line}: the floors alone decided"])


def read_classes(model_uri: str) -> list[str] | None:
    """Returns the class names that a model artifact tells of itself, in label order; None if it does not."""
    return read_model_info(path_utils.serving_model_path(model_uri)).get("classes")


def confusion_table(pairs: list[tuple[int, int, int]], names: list[str] | None) -> str:
    """Returns the confusion matrix as CSV, a line for each pair of classes that occurs."""
    rows = (
        {"actual": name_of(actual, names), "predicted": name_of(predicted, names), "images": count}
        for actual, predicted, count in pairs
    )
    return csv_text(["actual", "predicted", "images"], rows)


def name_of(label: int, names: list[str] | None) -> str:
    """Returns a class's name, its number where the names are not known."""
    return names[label] if names else str(label)


def name_confusions(pairs: list[tuple[int, int, int]], names: list[str] | None) -> list[tuple[str, str, int]]:
    """Returns the pairs of different classes that are mixed up most often, by name where the names are known."""
    mixed_up = [pair for pair in pairs if pair[0] != pair[1]][:CONFUSED_PAIRS]
    return [(name_of(actual, names), name_of(predicted, names), images) for actual, predicted, images in mixed_up]


def withdraw(blessing: Artifact) -> None:
    """Turns a blessing that TFMA gave into a refusal."""
    blessed = files.join(blessing.uri, constants.BLESSED_FILE_NAME)
    if files.exists(blessed):
        files.delete(blessed)
    files.write_text(files.join(blessing.uri, constants.NOT_BLESSED_FILE_NAME), "")
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, constants.NOT_BLESSED_VALUE)
