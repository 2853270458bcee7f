"""Runs a compiled pipeline as Kubeflow Pipelines does, without a cluster: a test tool.

It does what KFP's driver and launcher do, and no more, so that what they leave undone shows. Sources, below
backend/src/v2 in github.com/kubeflow/pipelines: driver/container.go and driver/driver.go (inputs, provisionOutputs),
metadata/client.go (toRuntimeArtifact: numbers become doubles, the type is blank), cacheutils/cache.go
(GenerateCacheKey), component/launcher_v2.go (downloadArtifacts, prepareOutputFolders, getPlaceholders, execute,
collectOutputParameters, uploadOutputArtifacts, mergeRuntimeArtifacts), objectstore/object_store.go.

A folder stands for the bucket, another for what the container sees of the root of its file system. There is no
metadata store and no Kubernetes: images, resources and the platform spec are not looked at.
"""

import json
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import yaml

MIRRORS = {"minio://": "minio", "s3://": "s3", "gs://": "gcs"}  # LocalPathForURI


@dataclass
class Task:
    """How a task of a run went."""

    state: str
    artifacts: dict[str, dict] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)
    log: str = ""


class LocalBackend:
    """One installation: what it caches outlives a run.

    `bucket` stands for all object stores, `container` for the root of each container's file system, one after the
    other.
    """

    def __init__(self, bucket: Path, container: Path, working_directory: Path):
        self._bucket, self._container, self._cwd = bucket, container, working_directory
        self._cache: dict[str, Task] = {}
        self._artifacts = 0

    def run(self, package: Path, pipeline_root: str) -> dict[str, Task]:
        """Runs the tasks in the order of their dependencies; those after a failed one do not start."""
        spec = next(iter(yaml.safe_load_all(package.read_text(encoding="utf-8"))))
        assert spec["schemaVersion"] == "2.1.0", "KFP only supports schema version 2.1.0"
        tasks = spec["root"]["dag"]["tasks"]
        for name in tasks:  # KFP makes a task X-driver of each task X
            assert f"{name}-driver" not in tasks, f"templates.root sorting failed: duplicated nodeName {name}-driver"
        root = f"{pipeline_root}/{spec['pipelineInfo']['name']}/{uuid.uuid4()}"
        done: dict[str, Task] = {}
        for name in TopologicalSorter({name: needed(task) for name, task in tasks.items()}).static_order():
            if all(done[other].state in ("COMPLETE", "CACHED") for other in needed(tasks[name])):
                done[name] = self._run_task(spec, name, root, done)
            else:
                done[name] = Task("NOT_TRIGGERED")
        return done

    def _run_task(self, spec: dict, name: str, root: str, done: dict[str, Task]) -> Task:
        task, component = spec["root"]["dag"]["tasks"][name], spec["components"][name]
        executor = spec["deploymentSpec"]["executors"][component["executorLabel"]]
        assert set(executor) == {"container"}, "non-container and non-importer executor not implemented"
        container = executor["container"]
        inputs = {"parameterValues": {}, "artifacts": {}}
        for key, value in task.get("inputs", {}).get("parameters", {}).items():
            inputs["parameterValues"][key] = resolve(value, spec, done)
        for key, value in task.get("inputs", {}).get("artifacts", {}).items():
            source = value["taskOutputArtifact"]
            artifact = done[source["producerTask"]].artifacts[source["outputArtifactKey"]]
            inputs["artifacts"][key] = {"artifacts": [{**artifact, "type": {"instanceSchema": ""}}]}
        outputs = self._provision_outputs(component.get("outputDefinitions", {}), f"{root}/{name}/{uuid.uuid4()}")

        key = cache_key(inputs, component.get("outputDefinitions", {}), container)
        caches = task.get("cachingOptions", {}).get("enableCache", False)
        if caches and key in self._cache:
            return Task("CACHED", self._cache[key].artifacts, self._cache[key].parameters)
        executor_input = {"inputs": inputs, "outputs": outputs}
        result = self._with_retries(task.get("retryPolicy"), lambda: self._launch(container, component, executor_input))
        if result.state == "COMPLETE":
            self._cache[key] = result
        return result

    def _with_retries(self, policy: dict | None, launch: Callable[[], Task]) -> Task:
        """Argo 3.7.3's: KFP hands it 0 for a `backoffMaxDuration` that is not there. The pauses are left out."""
        result = launch()
        for _ in range(policy["maxRetryCount"] if policy else 0):
            if result.state == "COMPLETE":
                return result
            if float(policy.get("backoffMaxDuration", "0s").rstrip("s")) == 0:
                return replace(result, log=f"{result.log}Max duration limit exceeded")
            result = launch()
        return (
            result
            if result.state == "COMPLETE" or not policy
            else replace(result, log=f"{result.log}No more retries left")
        )

    def _provision_outputs(self, definitions: dict, uri: str) -> dict:
        outputs: dict[str, Any] = {"outputFile": self._inside("/tmp/kfp_outputs/output_metadata.json")}
        outputs["artifacts"] = {
            key: {"artifacts": [{"uri": f"{uri}/{key}", "type": spec["artifactType"]}]}
            for key, spec in definitions.get("artifacts", {}).items()
        }
        outputs["parameters"] = {
            key: {"outputFile": self._inside(f"/tmp/kfp/outputs/{key}")} for key in definitions.get("parameters", {})
        }
        return outputs

    def _launch(self, container: dict, component: dict, executor_input: dict) -> Task:
        shutil.rmtree(self._container, ignore_errors=True)  # a new pod
        self._container.mkdir(parents=True)
        inputs, outputs = executor_input["inputs"], executor_input["outputs"]
        for group in inputs["artifacts"].values():
            uri = group["artifacts"][0]["uri"]
            copy_files(self._key(uri), self._mirror(uri))
        files = [Path(parameter["outputFile"]) for parameter in outputs["parameters"].values()]
        files += [self._mirror(group["artifacts"][0]["uri"]) for group in outputs["artifacts"].values()]
        for path in files:
            path.parent.mkdir(parents=True, exist_ok=True)

        text = json.dumps(executor_input)
        command = [part.replace("{{$}}", text) for part in (*container["command"], *container["args"])]
        environment = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(self._container / "tmp")}
        environment |= {variable["name"]: variable["value"] for variable in container.get("env", [])}
        ended = subprocess.run(
            command, cwd=self._cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=1800, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if ended.returncode:
            return Task(f"FAILED with {ended.returncode}", log=ended.stdout)
        return self._collect(component, outputs, ended.stdout)

    def _collect(self, component: dict, outputs: dict, log: str) -> Task:
        metadata_file = Path(outputs["outputFile"])
        written = json.loads(metadata_file.read_text()) if metadata_file.exists() else {}
        result = Task("COMPLETE", log=log, parameters=written.get("parameterValues", {}))
        for key, parameter in outputs["parameters"].items():
            if key not in result.parameters:
                assert component["outputDefinitions"]["parameters"][key]["parameterType"] == "STRING"
                result.parameters[key] = Path(parameter["outputFile"]).read_text()
        for key, group in outputs["artifacts"].items():
            artifact = dict(group["artifacts"][0])
            said = written.get("artifacts", {}).get(key, {}).get("artifacts", [{}])[0]
            artifact["uri"] = said.get("uri") or artifact["uri"]
            if any(artifact["uri"].startswith(scheme) for scheme in MIRRORS):  # else the upload is skipped
                copy_files(self._mirror(artifact["uri"]), self._key(artifact["uri"]))
            self._artifacts += 1
            metadata = {name: to_double(value) for name, value in said.get("metadata", {}).items()}
            result.artifacts[key] = {"name": str(self._artifacts), "uri": artifact["uri"], "metadata": metadata}
        return result

    def _inside(self, path: str) -> str:
        return str(self._container / path.lstrip("/"))

    def _mirror(self, uri: str) -> Path:
        scheme = next(scheme for scheme in MIRRORS if uri.startswith(scheme))
        return self._container / MIRRORS[scheme] / uri.removeprefix(scheme)

    def _key(self, uri: str) -> Path:
        return self._bucket / uri.partition("://")[2]

    def path_of(self, artifact: dict) -> Path:
        """The artifact in the bucket."""
        return self._key(artifact["uri"])


def needed(task: dict) -> set[str]:
    """The tasks that must have ended before this one starts."""
    return set(task.get("dependentTasks", []))


def resolve(value: dict, spec: dict, done: dict[str, Task]) -> Any:
    """The value of an input parameter."""
    if "runtimeValue" in value:
        return value["runtimeValue"]["constant"]
    if "taskOutputParameter" in value:
        source = value["taskOutputParameter"]
        return done[source["producerTask"]].parameters[source["outputParameterKey"]]
    name = value["componentInputParameter"]
    return spec["root"]["inputDefinitions"]["parameters"][name]["defaultValue"]


def cache_key(inputs: dict, outputs: dict, container: dict) -> str:
    """What the backend compares: artifacts by name, parameters by value, definitions, image, command, environment."""
    names = {key: [artifact["name"] for artifact in group["artifacts"]] for key, group in inputs["artifacts"].items()}
    return json.dumps([names, inputs["parameterValues"], outputs, container], sort_keys=True)


def copy_files(source: Path, destination: Path) -> None:
    """Copies files by their names, as an object store does: an empty folder is not copied."""
    for path in source.rglob("*"):
        if path.is_file():
            target = destination / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)


def to_double(value: Any) -> Any:
    """A property as the metadata store gives it back: JSON has one kind of number, and booleans become numbers."""
    return float(value) if isinstance(value, bool | int) else value
