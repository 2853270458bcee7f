"""The parts of the compiled pipeline that the backend reads, and what it would refuse."""

import json
import re

import pytest
import yaml
from google.protobuf import json_format

from components.common.code_key import ROOT
from tests.pipeline.kubeflow.conftest import DATAFLOW, cluster_config

pytestmark = pytest.mark.tfx

RESOLVED_BY = {
    "ImageExampleGen": ["--cache_key", "components.image_example_gen.cache_key.find"],
    "DataGate": ["--cache_key", "components.data_gate.cache_key.find"],
    "ServedModel": ["--cache_key", "components.served_model.cache_key.find"],
    "Pusher": ["--driver_class_path", "components.atomic_pusher.driver.Driver"],
}
DRIVEN = ("ImageExampleGen", "DataGate", "ServedModel", "Pusher")


@pytest.fixture(scope="module")
def documents(package) -> list[dict]:
    return list(yaml.safe_load_all(package.read_text()))


@pytest.fixture(scope="module")
def spec(documents) -> dict:
    return documents[0]


@pytest.fixture(scope="module")
def tasks(spec) -> dict:
    return spec["root"]["dag"]["tasks"]


def container(spec: dict, name: str) -> dict:
    return spec["deploymentSpec"]["executors"][spec["components"][name]["executorLabel"]]["container"]


def test_kfp_loads_it_and_every_message_is_the_protobuf_s(package, documents):
    from kfp import components
    from kfp.kubernetes import kubernetes_executor_config_pb2
    from kfp.pipeline_spec import pipeline_spec_pb2 as pb

    loaded = components.load_component_from_file(str(package))
    assert loaded.pipeline_spec.pipeline_info.name == "quickstart"
    strict = json_format.ParseDict(documents[0], pb.PipelineSpec())
    assert strict.root.dag.tasks["Trainer"].component_ref.name == "Trainer"
    deployment = json_format.ParseDict(documents[0]["deploymentSpec"], pb.PipelineDeploymentConfig())
    assert {executor.WhichOneof("spec") for executor in deployment.executors.values()} == {"container"}
    platform = json_format.ParseDict(documents[1], pb.PlatformSpec())
    for config in platform.platforms["kubernetes"].deployment_spec.executors.values():
        json_format.ParseDict(
            json_format.MessageToDict(config), kubernetes_executor_config_pb2.KubernetesExecutorConfig()
        )


def test_what_the_api_server_checks(spec, tasks):
    assert spec["schemaVersion"] == "2.1.0"
    assert spec["pipelineInfo"] == {"name": "quickstart"}
    assert spec["defaultPipelineRoot"] == "minio://mlpipeline/v2"
    for name, task in tasks.items():
        assert task["componentRef"]["name"] in spec["components"]
        assert set(task.get("dependentTasks", [])) <= set(tasks)
        for artifact in task.get("inputs", {}).get("artifacts", {}).values():
            source = artifact["taskOutputArtifact"]
            assert (
                source["outputArtifactKey"]
                in spec["components"][source["producerTask"]]["outputDefinitions"]["artifacts"]
            )
            assert source["producerTask"] in task["dependentTasks"], name
    titles = re.findall(r"instanceSchema: .{0,2}title: ([^\\\n]+)", yaml.safe_dump(spec))
    assert {"tfx.Examples", "effnet.IngestReport", "effnet.DataVerdict"} <= {title.strip() for title in titles}


def test_every_container_runs_our_entrypoint(spec):
    for name in spec["components"]:
        settings = container(spec, name)
        assert settings["command"] == ["python", "-P", "-m", "pipeline.kubeflow.entrypoint"]
        at = settings["args"].index("--json_serialized_invocation_args")
        assert settings["args"][at + 1] == "{{$}}"
        assert settings["env"] == [{"name": "AWS_ENDPOINT_URL_S3", "value": "http://minio:9000"}]
        assert settings["image"] == f"registry.example/effnet:1{'-gpu' if name == 'Trainer' else ''}"


def test_the_last_task_knows_what_became_of_the_model(spec, tasks):
    assert set(tasks["Outcome"]["dependentTasks"]) == set(tasks) - {"Outcome"}
    assert not any("Outcome" in task.get("dependentTasks", []) for task in tasks.values())
    sources = {name: value["taskOutputArtifact"] for name, value in tasks["Outcome"]["inputs"]["artifacts"].items()}
    assert sources == {
        "evaluation": {"producerTask": "GatedEvaluator", "outputArtifactKey": "evaluation"},
        "serving_check": {"producerTask": "ServingCheck", "outputArtifactKey": "blessing"},
        "pushed_model": {"producerTask": "Pusher", "outputArtifactKey": "pushed_model"},
    }
    assert "enableCache" not in tasks["Outcome"].get("cachingOptions", {})
    assert "retryPolicy" not in tasks["Outcome"]


def test_each_step_s_own_code_is_in_its_command(spec):
    from components.common.code_key import sources_key

    for name, modules in {
        "Trainer": ["components.trainer.executor", "trainer.train.run_fn"],
        "DataGate": ["components.data_gate.driver", "components.data_gate.executor"],
        "DataGate-resolver": ["components.data_gate.driver", "components.data_gate.executor"],
        "Outcome": ["pipeline.kubeflow.outcome"],
    }.items():
        (flag,) = [text for text in container(spec, name)["args"] if text.startswith("--sources=")]
        assert flag == f"--sources={sources_key(*modules)}:{','.join(modules)}"
    # TFX's own steps run none of this project's.
    assert not any(text.startswith("--sources") for text in container(spec, "StatisticsGen")["args"])


def test_each_driver_is_a_task_whose_finding_is_in_its_node_s_cache_key(spec, tasks):
    assert {name for name in tasks if name.endswith("-resolver")} == {f"{name}-resolver" for name in DRIVEN}
    for name in DRIVEN:
        driver = f"{name}-resolver"
        assert tasks[name]["inputs"]["parameters"]["driver_output"] == {
            "taskOutputParameter": {"producerTask": driver, "outputParameterKey": "driver_output"}
        }
        assert driver in tasks[name]["dependentTasks"]
        assert "enableCache" not in tasks[driver].get("cachingOptions", {})
        assert tasks[name]["cachingOptions"] == {"enableCache": True}
        assert tasks[driver]["inputs"].get("artifacts") == tasks[name]["inputs"].get("artifacts")
        assert container(spec, driver)["args"][:2] == RESOLVED_BY[name]


def test_what_a_step_asks_for(spec, tasks, documents):
    trainer, transform = container(spec, "Trainer")["resources"], container(spec, "Transform")["resources"]
    assert (trainer["resourceCpuLimit"], trainer["resourceMemoryLimit"]) == ("4", "4Gi")
    assert trainer["accelerator"] == {
        "type": "nvidia.com/gpu", "count": "1", "resourceType": "nvidia.com/gpu", "resourceCount": "1",
    }  # fmt: skip
    assert (transform["cpuLimit"], transform["memoryLimit"]) == (2.0, pytest.approx(4.294967296))
    assert "accelerator" not in transform
    assert tasks["Trainer"]["retryPolicy"] == {
        "maxRetryCount": 2, "backoffDuration": "30s", "backoffFactor": 2.0, "backoffMaxDuration": "2592000s",
    }  # fmt: skip
    assert "retryPolicy" not in tasks["DataGate"]

    executors = documents[1]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert set(executors) == {f"{name}_executor" for name in tasks}
    assert executors["Trainer_executor"]["nodeSelector"] == {"labels": {"pool": "gpu"}}
    (toleration,) = executors["Trainer_executor"]["tolerations"]
    assert (toleration["key"], toleration["operator"], toleration["effect"]) == (
        "nvidia.com/gpu",
        "Exists",
        "NoSchedule",
    )
    assert "nodeSelector" not in executors["Transform_executor"]
    for config in executors.values():
        (volume,), (secret,) = config["pvcMount"], config["secretAsEnv"]
        assert (volume["constant"], volume["mountPath"]) == ("photos", "/mnt/data")
        assert secret["secretName"] == "store"
        assert secret["keyToEnv"] == [{"secretKey": "accesskey", "envVar": "AWS_ACCESS_KEY_ID"}]


def test_no_path_of_the_compiling_machine_is_in_it(package):
    assert str(ROOT) not in package.read_text()


def test_a_runtime_parameter_keeps_its_default():
    from kfp.pipeline_spec import pipeline_spec_pb2 as pb
    from tfx import v1 as tfx
    from tfx.orchestration.data_types import RuntimeParameter

    from pipeline.kubeflow.ir import set_defaults

    node = tfx.components.StatisticsGen(examples=tfx.dsl.Channel(type=tfx.types.standard_artifacts.Examples))
    node.exec_properties["number"] = RuntimeParameter("number", int, default=3)
    node.exec_properties["word"] = RuntimeParameter("word", str, default="three")
    spec = pb.PipelineSpec()
    set_defaults(spec, [node])
    parameters = json_format.MessageToDict(spec)["root"]["inputDefinitions"]["parameters"]
    assert parameters == {"number": {"defaultValue": 3.0}, "word": {"defaultValue": "three"}}


def test_workers_on_other_machines_get_our_image_and_the_artifacts_uris(tmp_path):
    from pipeline.kubeflow_runner import compile_pipeline

    root = "runners.kubeflow.pipeline_root=gs://bucket/root"
    config = cluster_config(root, DATAFLOW)
    spec = compile_pipeline(config, str(tmp_path))["pipelineSpec"]
    arguments = container(spec, "Transform")["args"]
    assert {"--runner=DataflowRunner", "--sdk_container_image=registry.example/effnet:1"} <= set(arguments)
    assert all("--remote_artifacts" in container(spec, name)["args"] for name in spec["components"])


def test_workers_of_flink_and_spark_get_it_in_their_own_options():
    from pipeline.kubeflow.compiler import worker_options

    pool = ["--environment_type=EXTERNAL", "--environment_config=localhost:50000", "--sdk_container_image=image"]
    assert worker_options(["--runner=FlinkRunner", "--flink_master=host:8081"], "image") == pool
    assert worker_options(["--runner=PortableRunner", "--environment_type=EXTERNAL"], "image") == []
    assert worker_options(["--runner=DirectRunner"], "image") == []
    assert worker_options(["--runner=PortableRunner", "--job_endpoint=embed"], "image") == []  # in the step's own pod


def test_vertex_ai_gets_the_same_pipeline_as_a_job(tmp_path, spec):
    from pipeline.kubeflow_runner import compile_pipeline

    settings = ["runners.kubeflow.pipeline_root=gs://bucket/root", "data.path=gs://b/digits", "push.path=gs://b/served"]
    plain = ("volumes=[]", "secrets=[]", "resources.Trainer={gpu: 1, gpu_type: NVIDIA_TESLA_T4, retries: 2}")
    settings += [f"runners.kubeflow.{setting}" for setting in plain]
    compile_pipeline(cluster_config(*settings), str(tmp_path), "pipeline.json")
    job = json.loads((tmp_path / "pipeline.json").read_text())
    assert job["runtimeConfig"] == {"gcsOutputDirectory": "gs://bucket/root"}
    assert set(job["pipelineSpec"]["root"]["dag"]["tasks"]) == set(spec["root"]["dag"]["tasks"])
    accelerator = container(job["pipelineSpec"], "Trainer")["resources"]["accelerator"]
    assert (accelerator["type"], accelerator["count"]) == ("NVIDIA_TESLA_T4", "1")
    # Vertex AI takes an hour at most there, and for another thing.
    retries = job["pipelineSpec"]["root"]["dag"]["tasks"]["Trainer"]["retryPolicy"]
    assert (retries["maxRetryCount"], "backoffMaxDuration" in retries) == (2, False)
