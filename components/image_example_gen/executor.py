"""Runs the ingest for TFX."""

import json
import time
from dataclasses import astuple

from tfx.components.util import examples_utils
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.proto import example_gen_pb2
from tfx.types import Artifact, artifact_utils

from components.common import beam_output, files
from components.common.events import report_warning
from components.common.example_counts import count_stored, note_counts, read_counts
from components.common.executor_types import Artifacts, ExecProperties
from components.common.ingest_report import write_report
from components.common.json_types import Parsed
from components.image_example_gen.balance import STORED, Counts, summarise
from components.image_example_gen.beam_ingest import Steps, WriteExample, build_ingest
from components.image_example_gen.first_pass import Survey, report_ingest
from components.image_example_gen.grouping import AssignSplits
from components.image_example_gen.sources.listing import Rejected
from components.image_example_gen.sources.plan import IngestPlan, mixed
from components.image_example_gen.sources.shard_index import IndexShard, build_index, read_index
from components.image_example_gen.sources.shards import Found
from components.image_example_gen.sources.source import Source, source_of
from components.image_example_gen.split import SPLITS, SplitRule


class Executor(BaseBeamExecutor):
    """Writes the examples and the report."""

    def Do(
        self,
        input_dict: Artifacts,
        output_dict: Artifacts,
        exec_properties: ExecProperties,
    ) -> None:
        """Reads `path` and fills the artifacts `examples` and `report`; the parameters are ImageExampleGen's.

        Raises:
            DataError: if the folder cannot be learned from.
            RuntimeError: if files were lost on the way.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        beam_output.empty(output_dict)
        examples = artifact_utils.get_single_instance(output_dict["examples"])
        report = artifact_utils.get_single_instance(output_dict["report"])
        examples.split_names = artifact_utils.encode_split_names(list(SPLITS))
        examples_utils.set_payload_format(examples, example_gen_pb2.PayloadFormat.FORMAT_TF_EXAMPLE)
        examples_utils.set_file_format(examples, "tfrecords_gzip")
        seed = int(exec_properties["seed"])  # Kubeflow's numbers are floats, and "1.0" would cut otherwise than "1"

        started = time.monotonic()
        source = source_of(exec_properties)
        root, input_fingerprint = source.root, source.fingerprint()
        features = json.loads(exec_properties["features"]) | source.settings.columns
        found = self._index(source, features) if source.shards else []
        plan = source.plan(json.loads(exec_properties["classes"]), found)
        rule = SplitRule(exec_properties["val_fraction"], exec_properties["eval_fraction"], seed)
        max_pixels = int(exec_properties["max_pixels"])
        near_duplicates = bool(int(exec_properties["near_duplicates"]))
        steps = Steps(
            Survey(root, max_pixels, len(plan.images)),
            AssignSplits(plan.classes, rule.without(plan.given_splits), near_duplicates),
            WriteExample(root, plan.classes, max_pixels),
        )
        counts, quarantine = self._read_images(plan, steps, seed, examples)
        beam_output.delete_temporary(output_dict)
        counts |= self._count_stored(examples)
        summary = summarise(root, input_fingerprint, plan, counts)

        lines = [vars(rejected) for rejected in plan.rejected] + quarantine
        write_report(report.uri, plan.classes, sorted(lines, key=lambda line: line["path"]), summary)
        note_counts(examples, {split: summary.images_of(split) for split in summary.written})
        for artifact in (examples, report):
            artifact.set_string_custom_property("input_fingerprint", input_fingerprint)

        rate = len(plan.images) / (time.monotonic() - started)
        report_ingest(len(plan.images), len(plan.images), rate)
        for warning in summary.warnings:
            report_warning(warning)

    def _index(self, source: Source, features: dict[str, str]) -> list[Found | Rejected]:
        """Returns what lies in the shards."""
        index_path, unpacked = (files.join(self._get_tmp_dir(), name) for name in ("index.jsonl", "unpacked"))
        with self._make_beam_pipeline() as pipeline:
            build_index(pipeline, source.shards, IndexShard(source.root, features, unpacked), index_path)
        return read_index(index_path, source.shards)

    def _read_images(
        self, plan: IngestPlan, steps: Steps, seed: int, examples: Artifact
    ) -> tuple[Counts, list[dict[str, str]]]:
        """Returns the counters and the quarantined files."""
        images_path, outcome_path = (files.join(self._get_tmp_dir(), f"{name}.jsonl") for name in ("images", "outcome"))
        files.write_text(images_path, "".join(f"{json.dumps(astuple(image))}\n" for image in mixed(plan.images, seed)))
        with self._make_beam_pipeline() as pipeline:
            build_ingest(pipeline, images_path, steps, _split_uris(examples), outcome_path)
        outcomes: dict[str, list[Parsed]] = {"count": [], "quarantine": []}
        for line in files.read_bytes(outcome_path).splitlines():
            kind, value = json.loads(line)
            outcomes[kind].append(value)
        return {tuple(key): count for key, count in outcomes["count"]}, outcomes["quarantine"]

    def _count_stored(self, examples: Artifact) -> Counts:
        path = files.join(self._get_tmp_dir(), "stored.jsonl")
        with self._make_beam_pipeline() as pipeline:
            count_stored(pipeline, _split_uris(examples), path)
        return {(STORED, split): count for split, count in read_counts(path).items()}


def _split_uris(examples: Artifact) -> dict[str, str]:
    return {split: artifact_utils.get_split_uri([examples], split) for split in SPLITS}
