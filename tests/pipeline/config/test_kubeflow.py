"""The `runners.kubeflow` section."""

import pytest

from pipeline.config.kubeflow import KubeflowSettings, Step
from pipeline.config.load import load_config
from pipeline.config.model import ConfigError


def problem(override: str) -> str:
    with pytest.raises(ConfigError) as error:
        load_config(overrides=[override])
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("runners.kubeflow.imag=x", "did you mean `image`?"),
        ("runners.kubeflow.resources.Trainer={gpus: 1}", "did you mean `gpu`?"),
        ("runners.kubeflow.resources.Trainer={memory: 16 GB}", "got '16 GB'"),
        ("runners.kubeflow.volumes=[{claim: a, mount: /b}]", "unknown key"),
        ("runners.kubeflow.volumes=[{claim: a, path: b}]", "got 'b'"),
        ("runners.kubeflow.pipeline_root=/mnt/artifacts", "expected minio://, s3:// or gs://"),
        ("runners.kubeflow.secrets=[{name: a, env: {}}]", "at least 1"),
    ],
)
def test_a_mistake_is_named(override, said):
    assert said in problem(override)


def test_a_step_takes_what_it_does_not_say_from_the_default():
    default = Step(cpu=2, memory="4Gi", retries=1)
    settings = KubeflowSettings(resources={"default": default, "Trainer": Step(cpu=4, gpu=1, retries=0)})
    assert settings.step("Trainer") == Step(cpu=4, memory="4Gi", gpu=1, retries=0)
    assert settings.step("Transform") == default


def test_only_a_step_with_a_gpu_takes_the_gpu_image():
    settings = KubeflowSettings(image="plain", gpu_image="cuda")
    assert settings.image_of(Step(gpu=1)) == "cuda"
    assert settings.image_of(Step(gpu=0)) == settings.image_of(Step()) == "plain"


@pytest.mark.parametrize(
    ("path", "mounted"), [("/mnt/a", True), ("/mnt/a/b", True), ("/mnt/ab", False), ("/mnt", False)]
)
def test_a_volume_holds_what_is_below_its_path(path, mounted):
    assert KubeflowSettings(volumes=[{"claim": "c", "path": "/mnt/a"}]).mounts(path) is mounted
