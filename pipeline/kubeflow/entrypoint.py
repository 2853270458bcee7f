"""What a step's container runs on Kubeflow Pipelines and Vertex AI: `python -m pipeline.kubeflow.entrypoint`.

It wraps TFX's own entrypoint and does what the backend leaves out:
- artifacts' URIs are mapped to what TensorFlow opens, see uris.py;
- artifacts' types come from the component's definition: KFP's driver hands out blank ones (tfx#7768);
- TFX drivers run in tasks of their own, since the backend ignores TFX's hook for them (tfx#6146); see ir.add_driver;
- directory markers that TensorFlow leaves on gs:// are deleted: the launcher's download stumbles over them
  (kubeflow/pipelines#13476);
- the process ends without the interpreter's shutdown, in which protobuf and ml-metadata may crash
  (sky-uk/kfp-operator#1286).
"""

import argparse
import json
import os
import sys
import traceback
from collections.abc import Iterator

from components.common.errors import one_line
from components.common.json_types import Parsed
from pipeline.exit_codes import exit_code_of
from pipeline.kubeflow.uris import places, restore

DRIVER_OUTPUT = "driver_output"
# The backend adds it to every step's outputs where it keeps logs; no component knows it.
LOGS = "executor-logs"


def parse(arguments: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """Splits the command line into our flags, which TFX's entrypoint shares, and Beam's options."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.kubeflow.entrypoint", allow_abbrev=False)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--executor_class_path", help="the executor to run, by its dotted name")
    what.add_argument("--driver_class_path", help="the driver to run, by its dotted name")
    parser.add_argument("--json_serialized_invocation_args", required=True, help="the launcher's ExecutorInput")
    parser.add_argument("--json_serialized_inputs_spec_args", required=True, help="the component's input definitions")
    parser.add_argument("--remote_artifacts", action="store_true", help="Beam's workers are other machines")
    return parser.parse_known_args(arguments)


def run(args: argparse.Namespace, beam_args: list[str]) -> None:
    """Runs an executor, or a driver, and writes what the launcher reads."""
    invocation = json.loads(args.json_serialized_invocation_args)
    inputs, outputs = (invocation.setdefault(side, {}) for side in ("inputs", "outputs"))
    outputs.get("artifacts", {}).pop(LOGS, None)
    parameters = inputs.setdefault("parameterValues", {})
    parameters |= json.loads(parameters.pop(DRIVER_OUTPUT, "{}"))
    from components.common.origin import ORIGIN

    types = json.loads(args.json_serialized_inputs_spec_args).get("artifacts", {})
    for name, artifact in _artifacts(inputs):
        artifact["type"] = types[name]["artifactType"]
        artifact.setdefault("metadata", {})[ORIGIN] = artifact["uri"]
    every = [artifact for side in (inputs, outputs) for _, artifact in _artifacts(side)]
    chosen = places({artifact["uri"] for artifact in every}, args.remote_artifacts)
    for artifact in every:
        artifact["uri"] = chosen[artifact["uri"]]
    _register_types()
    if args.driver_class_path:
        _run_driver(args, invocation)
    else:
        _run_executor(args, beam_args, invocation, chosen)


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
    found = data_types_utils.build_value_dict(driver.run(execution).exec_properties)
    _write(executor_input.outputs.parameters[DRIVER_OUTPUT].output_file, json.dumps(found, sort_keys=True))


def _write(path: str, text: str) -> None:
    """Writes what the launcher, or Vertex AI, reads; the latter may name a gs:// file."""
    from tfx.dsl.io import fileio

    fileio.makedirs(os.path.dirname(path))  # noqa: PTH120 - of a URI as well
    with fileio.open(path, "w") as file:
        file.write(text)


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
    with fileio.open(written, "r") as file:
        result = restore(file.read(), chosen)
    _write(output_file, result)
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
    """Runs the command line; exits with 3 or 4 for a refusal, as `effnet run` does."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    args, beam_args = parse(sys.argv[1:])
    try:
        from pipeline.execution.prepare import prepare_process

        prepare_process()
        run(args, beam_args)
        code = 0
    except Exception as error:  # the outermost frame: the pod's log is all that the user sees
        traceback.print_exc()
        print(f"error: {one_line(error)}", file=sys.stderr)
        code = int(exit_code_of(error))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
