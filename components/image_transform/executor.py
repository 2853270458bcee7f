"""Runs Transform for TFX, with a forecast before and a count after it."""

import functools
import json

from google.protobuf import json_format
from tfx.components.transform import executor as tfx_transform
from tfx.proto import transform_pb2
from tfx.types import Artifact, artifact_utils

from components.common import beam_output, files
from components.common.events import report_progress
from components.common.example_counts import count_stored, note_counts, noted_counts, read_counts
from components.common.executor_types import Artifacts, ExecProperties
from components.common.functions import load_function
from components.image_transform.forecast import Preprocessing, check_room, forecast


class Executor(tfx_transform.Executor):
    """Writes the Transform graph and, if it is to materialize, the transformed examples."""

    def Do(
        self,
        input_dict: Artifacts,
        output_dict: Artifacts,
        exec_properties: ExecProperties,
    ) -> None:
        """As TFX's Transform, whose parameters these are.

        Raises:
            RuntimeError: if there is no room for the transformed examples, or some of them were lost.
        """
        beam_output.empty(output_dict)
        if not output_dict.get("transformed_examples"):
            super().Do(input_dict, output_dict, exec_properties)
            beam_output.delete_temporary(output_dict)
            return
        examples = artifact_utils.get_single_instance(input_dict["examples"])
        transformed = artifact_utils.get_single_instance(output_dict["transformed_examples"])
        splits = json_format.Parse(exec_properties["splits_config"], transform_pb2.SplitsConfig()).transform
        counts = noted_counts(examples, splits)
        folders = {split: artifact_utils.get_split_uri([examples], split) for split in counts}
        expected = forecast(folders, counts, _preprocessing(exec_properties))
        report_progress(f"transform: {expected}")
        check_room(expected, transformed.uri)
        super().Do(input_dict, output_dict, exec_properties)
        beam_output.delete_temporary(output_dict)
        self._check_nothing_lost(counts, transformed)
        note_counts(transformed, counts)

    def _check_nothing_lost(self, counts: dict[str, int], transformed: Artifact) -> None:
        path = files.join(self._get_tmp_dir(), "counts.jsonl")
        with self._make_beam_pipeline() as pipeline:
            count_stored(
                pipeline, {split: artifact_utils.get_split_uri([transformed], split) for split in counts}, path
            )
        stored = read_counts(path)
        if lost := [
            f"{stored.get(split, 0)} of {count} of {split}"
            for split, count in counts.items()
            if count != stored.get(split, 0)
        ]:
            raise RuntimeError(f"examples were lost: Transform stored {', '.join(lost)}")


def _preprocessing(exec_properties: ExecProperties) -> Preprocessing:
    function = load_function(exec_properties["preprocessing_fn"])
    return functools.partial(function, custom_config=json.loads(exec_properties["custom_config"]))
