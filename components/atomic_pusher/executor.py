"""Pushes a blessed model for TFX."""

import json
from dataclasses import asdict

from tfx.components.pusher import executor as pusher_executor
from tfx.types import artifact_utils, standard_component_specs

from components.atomic_pusher.driver import push_path_of
from components.atomic_pusher.model_card import CARD_FILE, make_card
from components.atomic_pusher.store import push
from components.common import files
from components.common.errors import Overtaken, Withdrawn
from components.common.executor_types import Artifacts, ExecProperties
from components.common.model_info import read_model_info
from components.common.origin import lasting_uri
from components.common.push_properties import ALREADY_SERVED, REFUSAL
from components.gated_evaluator.verdict import read_verdict
from components.served_model.record import PushRecord
from components.served_model.versions import pushed_versions
from components.serving_check.report import ADDED_FILES, read_report

EVALUATION_FILE = "assets.extra/evaluation.json"  # beside the card, for programs


class Executor(pusher_executor.Executor):
    """Pusher's rules for what may be pushed, `store.push` for how."""

    def Do(
        self,
        input_dict: Artifacts,
        output_dict: Artifacts,
        exec_properties: ExecProperties,
    ) -> None:
        """Reads `model`, `model_blessing` and, if it is given, `infra_blessing`; writes `pushed_model`.

        Raises:
            PushError: if the model cannot be written. What was served stays.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        pushed_model = artifact_utils.get_single_instance(output_dict[standard_component_specs.PUSHED_MODEL_KEY])
        if not self.CheckBlessing(input_dict):
            self._MarkNotPushed(pushed_model)
            return
        push_path, saved_model = push_path_of(exec_properties), self.GetModelPath(input_dict)
        model_uri = lasting_uri(artifact_utils.get_single_instance(input_dict[standard_component_specs.MODEL_KEY]))
        verdict = read_verdict(artifact_utils.get_single_uri(input_dict[standard_component_specs.MODEL_BLESSING_KEY]))
        serving, added = None, ""
        if infra_blessing := input_dict.get(standard_component_specs.INFRA_BLESSING_KEY):
            blessing_uri = artifact_utils.get_single_uri(infra_blessing)
            serving, added = read_report(blessing_uri), files.join(blessing_uri, ADDED_FILES)
        card = make_card(read_model_info(saved_model), verdict, serving, model_uri)
        evaluation = json.dumps(asdict(verdict), indent=2, ensure_ascii=False) + "\n"
        record = PushRecord(accuracy=verdict.accuracy, model_uri=model_uri)
        keep = json.loads(exec_properties[standard_component_specs.CUSTOM_CONFIG_KEY])["keep"]
        known = pushed_versions(push_path)
        try:
            notes = {CARD_FILE: card, EVALUATION_FILE: evaluation}
            pushed = push(saved_model, push_path, record, keep, notes, added, verdict.served_fingerprint)
        except (Withdrawn, Overtaken) as refusal:
            self._MarkNotPushed(pushed_model)
            pushed_model.set_string_custom_property(REFUSAL, str(refusal))
            return
        files.bring(saved_model, pushed_model.uri)
        pushed_model.set_int_custom_property(ALREADY_SERVED, int(pushed.version in known))
        self._MarkPushed(
            pushed_model,
            pushed_destination=files.join(push_path, pushed.version),
            pushed_version=pushed.version,
        )
