"""What a step's container runs on Kubeflow Pipelines and Vertex AI: `python -m pipeline.kubeflow.entrypoint`.

It wraps TFX's own entrypoint and does what the backend leaves out:
- artifacts' URIs are mapped to what TensorFlow opens, see uris.py;
- artifacts' types come from the component's definition: KFP's driver hands out blank ones (tfx#7768);
- TFX drivers run in tasks of their own, since the backend ignores TFX's hook for them (tfx#6146); see ir.add_driver;
- code other than that which the pipeline was compiled from is refused: its output would fill the cache;
- the reason of a failure is written where Kubernetes, and so Argo and `tfx run status`, look for it;
- directory markers that TensorFlow leaves on gs:// are deleted: the launcher's download stumbles over them
  (kubeflow/pipelines#13476);
- the process ends without the interpreter's shutdown, in which protobuf and ml-metadata may crash
  (sky-uk/kfp-operator#1286).
"""

import argparse
import importlib
import json
import os
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

from components.common import files
from components.common.cache_key import found_by
from components.common.code_key import sources_key
from components.common.errors import one_line
from components.common.json_types import Parsed
from components.common.origin import ORIGIN
from pipeline.config.secrets import hide_secrets
from pipeline.exit_codes import ExitCode, exit_code_of
from pipeline.kubeflow.uris import places, restore

DRIVER_OUTPUT = "driver_output"
# The backend adds it to every step's outputs where it keeps logs; no component knows it.
LOGS = "executor-logs"
# Kubernetes puts the first 4,096 bytes of it into the pod's status.
TERMINATION_LOG = Path("/dev/termination-log")
MOST_CHARACTERS = 1000


def parse(arguments: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """Splits the command line into our flags, which TFX's entrypoint shares, and Beam's options."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.kubeflow.entrypoint", allow_abbrev=False)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--executor_class_path", help="the executor to run, by its dotted name")
    what.add_argument("--driver_class_path", help="the driver to run, by its dotted name")
    what.add_argument("--cache_key", help="the function that finds out more of the cache key, by its dotted name")
    what.add_argument("--outcome", action="store_true", help="fail if the run's model was not pushed, and say why")
    parser.add_argument("--sources", help="KEY:NAME,NAME...: the code that the step was compiled from")
    parser.add_argument("--json_serialized_invocation_args", required=True, help="the launcher's ExecutorInput")
    parser.add_argument("--json_serialized_inputs_spec_args", required=True, help="the component's input definitions")
    parser.add_argument("--remote_artifacts", action="store_true", help="Beam's workers are other machines")
    return parser.parse_known_args(arguments)


def run(args: argparse.Namespace, beam_args: list[str]) -> None:
    """Runs an executor, a driver or the outcome, and writes what the launcher reads."""
    invocation = json.loads(args.json_serialized_invocation_args)
    inputs, outputs = (invocation.setdefault(side, {}) for side in ("inputs", "outputs"))
    outputs.get("artifacts", {}).pop(LOGS, None)
    parameters = inputs.setdefault("parameterValues", {})
    parameters |= json.loads(parameters.pop(DRIVER_OUTPUT, "{}"))
    types = json.loads(args.json_serialized_inputs_spec_args).get("artifacts", {})
    for name, artifact in _artifacts(inputs):
        artifact["type"] = types[name]["artifactType"]
        artifact.setdefault("metadata", {})[ORIGIN] = artifact["uri"]
    every = [artifact for side in (inputs, outputs) for _, artifact in _artifacts(side)]
    chosen = places({artifact["uri"] for artifact in every}, args.remote_artifacts)
    for artifact in every:
        artifact["uri"] = chosen[artifact["uri"]]
    if args.outcome:
        _run_outcome(inputs)
        return
    if args.cache_key:
        _find_cache_key(args, invocation)
        return
    from pipeline.execution.prepare import prepare_process

    prepare_process()
    _register_types()
    if args.driver_class_path:
        _run_driver(args, invocation)
    else:
        _run_executor(args, beam_args, invocation, chosen)


def check_sources(wanted: str) -> None:
    """Compares the code in this container with that from which the step was compiled.

    Args:
      wanted: KEY:NAME,NAME..., what `ir.sources_flag` made.

    Raises:
      RuntimeError: it is other code.
    """
    key, _, names = wanted.partition(":")
    try:
        same = sources_key(*names.split(",")) == key
    except ValueError:  # a module is not even there
        same = False
    if not same:
        raise RuntimeError(
            f"the code in this image is not that from which the pipeline was compiled ({names}): build the image anew "
            "under a new tag, name it in runners.kubeflow.image, and `tfx pipeline update`"
        )


def _artifacts(side: dict[str, Parsed]) -> Iterator[tuple[str, dict[str, Parsed]]]:
    for name, group in side.get("artifacts", {}).items():
        for artifact in group.get("artifacts", []):
            yield name, artifact


def _register_types() -> None:
    """Tells TFX where the classes of our types are; it takes an unknown title for a dotted name."""
    from tfx.orchestration.kubeflow.v2 import compiler_utils
    from tfx.types import Artifact
    from tfx.utils import name_utils

    from components.common import artifacts

    for kind in vars(artifacts).values():
        if isinstance(kind, type) and issubclass(kind, Artifact) and kind is not Artifact:
            compiler_utils.TITLE_TO_CLASS_PATH[str(kind.TYPE_NAME)] = name_utils.get_full_name(kind)


def _run_outcome(inputs: dict[str, Parsed]) -> None:
    from pipeline.kubeflow.outcome import PUSHED_MODEL, check_pushed

    found = dict(_artifacts(inputs))
    check_pushed({name: artifact["uri"] for name, artifact in found.items()}, found[PUSHED_MODEL]["metadata"])


def _find_cache_key(args: argparse.Namespace, invocation: dict[str, Parsed]) -> None:
    """As `_run_driver`, for what needs no TFX."""
    module, _, name = args.cache_key.rpartition(".")
    find = getattr(importlib.import_module(module), name)
    kinds = json.loads(args.json_serialized_inputs_spec_args).get("parameters", {})
    values = {
        # JSON has one kind of number.
        name: int(value) if kinds.get(name, {}).get("parameterType") == "NUMBER_INTEGER" else value
        for name, value in invocation["inputs"]["parameterValues"].items()
    }
    uris = {name: artifact["uri"] for name, artifact in _artifacts(invocation["inputs"])}
    _write_driver_output(invocation, found_by(find, uris, values))


def _write_driver_output(invocation: dict[str, Parsed], found: dict[str, Parsed]) -> None:
    path = invocation["outputs"]["parameters"][DRIVER_OUTPUT]["outputFile"]
    files.write_text(path, json.dumps(found, sort_keys=True))


def _run_driver(args: argparse.Namespace, invocation: dict[str, Parsed]) -> None:
    from google.protobuf import json_format
    from kfp.pipeline_spec import pipeline_spec_pb2
    from tfx.orchestration import data_types_utils
    from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_entrypoint_utils as utils
    from tfx.orchestration.portable.data_types import ExecutionInfo
    from tfx.utils import import_utils

    executor_input = json_format.ParseDict(invocation, pipeline_spec_pb2.ExecutorInput(), ignore_unknown_fields=True)
    spec = json_format.Parse(
        args.json_serialized_inputs_spec_args, pipeline_spec_pb2.ComponentInputsSpec(), ignore_unknown_fields=True
    )
    values = executor_input.inputs
    execution = ExecutionInfo(
        input_dict=utils.parse_raw_artifact_dict(values.artifacts, {}),
        exec_properties=utils.parse_execution_properties(values.parameter_values, values.parameters, spec),
    )
    driver = import_utils.import_class_by_path(args.driver_class_path)(None)  # there is no metadata store to hand it
    _write_driver_output(invocation, data_types_utils.build_value_dict(driver.run(execution).exec_properties))


def _run_executor(
    args: argparse.Namespace, beam_args: list[str], invocation: dict[str, Parsed], chosen: dict[str, str]
) -> None:
    from tfx.dsl.io import fileio
    from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_run_executor

    output_file = invocation["outputs"]["outputFile"]
    produced = [artifact["uri"] for _, artifact in _artifacts(invocation["outputs"])]
    for uri in produced:
        fileio.makedirs(uri)  # as TFX's own launcher does
    written = output_file
    if args.remote_artifacts and produced:
        # TFX keeps the temporary files of a step, which Beam's workers read, beside this file.
        written = f"{produced[0].rstrip('/')}.work/{os.path.basename(output_file)}"  # noqa: PTH119
        invocation["outputs"]["outputFile"] = written
    args.json_serialized_invocation_args = json.dumps(invocation)
    kubeflow_v2_run_executor.main((args, beam_args))
    files.write_text(output_file, restore(files.read_bytes(written).decode(), chosen))
    for uri in produced:
        if uri.startswith("gs://"):
            delete_markers(uri)


def delete_markers(uri: str) -> None:
    """Deletes the objects below `uri`, a gs:// folder, that stand for folders: empty, with a slash at the end.

    Beam's `delete` does not do for this: it takes such a name for all that is in the folder.
    """
    from google.cloud.storage import Client

    bucket, _, prefix = uri.removeprefix("gs://").partition("/")
    for blob in Client().list_blobs(bucket, prefix=f"{prefix.rstrip('/')}/"):
        if blob.name.endswith("/") and not blob.size:
            blob.delete()


def main() -> None:
    """Runs the command line; exits with 3 or 4 for a refusal, as `effnet run` does (the launcher then with 1)."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    args, beam_args = parse(sys.argv[1:])
    try:
        if args.sources:
            check_sources(args.sources)
        run(args, beam_args)
        code = ExitCode.PUSHED
    except Exception as error:  # the outermost frame: the pod's log is all that the user sees
        traceback.print_exc()
        print(f"error: {one_line(error)}", file=sys.stderr)
        code = exit_code_of(error)
        note_reason(code, error)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(int(code))


def note_reason(code: ExitCode, error: Exception, place: Path = TERMINATION_LOG) -> None:
    """Leaves one line for Kubernetes, such as "gate refused: accuracy is 0.61, below 0.9"; nothing outside a pod."""
    if not place.exists():
        return
    try:
        with place.open("w", encoding="utf-8") as file:  # Kubernetes has mounted it: it cannot be replaced
            file.write(f"{code.meaning}: {hide_secrets(one_line(error))[:MOST_CHARACTERS]}")
    except OSError as problem:  # the pod's log has the reason anyway
        print(f"warning: {place} cannot be written: {problem}", file=sys.stderr)


if __name__ == "__main__":
    main()
