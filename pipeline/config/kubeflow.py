"""The `runners.kubeflow` section of pipeline.yaml."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from pipeline.config.schedule import known_zone
from trainer.settings import Settings

AbsolutePath = Annotated[str, Field(pattern=r"^/.+")]
# A Kubernetes quantity of bytes: 512Mi, 16G.
Memory = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?(Ki|Mi|Gi|Ti|k|K|M|G|T)?$")]


class Toleration(Settings):
    """A taint that a step's pod puts up with."""

    key: str | None = None
    """Key of the taint."""
    operator: Literal["Equal", "Exists"] | None = None
    """Equal, or Exists (any value)."""
    value: str | None = None
    """Value of the taint."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """Effect of the taint."""


class Secret(Settings):
    """A Kubernetes secret whose keys become environment variables: key in the secret -> variable."""

    name: str
    """Name of the Kubernetes secret."""
    env: Annotated[dict[str, str], Field(min_length=1)]
    """Key in the secret: environment variable."""


class Volume(Settings):
    """A persistent volume claim, mounted at `path` in every step."""

    claim: str
    """Name of the persistent volume claim."""
    path: AbsolutePath
    """Absolute path where it is mounted."""


class Step(Settings):
    """What one step's pod asks for; None takes the value of `resources.default`, and there the cluster's own."""

    cpu: Annotated[float, Field(gt=0)] | None = None
    """CPU cores, such as 4."""
    memory: Memory | None = None
    """Memory, such as 512Mi or 16G."""
    gpu: Annotated[int, Field(ge=0)] | None = None
    """Number of GPUs."""
    gpu_type: str | None = None
    """Kubernetes' name of the GPU resource, such as nvidia.com/gpu."""
    node_selector: dict[str, str] | None = None
    """Labels that the node must have."""
    tolerations: tuple[Toleration, ...] | None = None
    """Taints that the pod tolerates, such as [{key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}]."""
    retries: Annotated[int, Field(ge=0)] | None = None
    """Retries of the step."""
    cache: bool | None = None
    """Reuse the output of an earlier run with the same inputs."""

    def over(self, default: "Step") -> "Step":
        """These values, and those of `default` where there are none."""
        return Step(**{**default.model_dump(exclude_none=True), **self.model_dump(exclude_none=True)})


class KubeflowSettings(Settings):
    """Where the pipeline runs, and with what."""

    endpoint: str | None = None
    """URL of Kubeflow Pipelines, such as http://localhost:8888; null takes the environment's KF_PIPELINES_ENDPOINT."""
    image: str = "tfx-efficientnet:latest"
    """Image built from the Dockerfile, at a place where the cluster can pull it."""
    gpu_image: str | None = None
    """Image for steps with a GPU; null takes `image`."""
    pipeline_root: str | None = None
    """Folder for artifacts, on minio://, s3:// or gs://; null takes the cluster's own."""
    state: AbsolutePath = "/tmp/effnet"
    """Folder for checkpoints and trials; on a volume, a retried step resumes from them."""
    service_account: str | None = None
    """Kubernetes service account of the pods; null takes the cluster's own."""
    cron_timezone: str = "UTC"
    """Time zone in which the cluster reads cron expressions, its CRON_SCHEDULE_TIMEZONE."""
    env: dict[str, str] = Field(default_factory=dict)
    """Environment variables, such as {AWS_ENDPOINT_URL_S3: "http://minio-service.kubeflow:9000"}."""
    secrets: tuple[Secret, ...] = ()
    """Secrets that become environment variables, such as {name: mlpipeline-minio-artifact, env: {accesskey:
    AWS_ACCESS_KEY_ID}}.
    """
    volumes: tuple[Volume, ...] = ()
    """Volumes that every step mounts, such as {claim: photos, path: /mnt/photos}."""
    resources: dict[str, Step] = Field(default_factory=dict)
    """Resources of a step, by its name; `default` applies to steps that set none, such as Trainer: {cpu: 4, memory:
    16G, gpu: 1}.
    """

    @field_validator("pipeline_root")
    @classmethod
    def _in_an_object_store(cls, root: str | None) -> str | None:
        if root is not None and not root.startswith(("minio://", "s3://", "gs://")):
            raise ValueError(
                f"got {root}, expected minio://, s3:// or gs://, the stores that Kubeflow's launcher knows"
            )
        return root

    @field_validator("cron_timezone")
    @classmethod
    def _zone_is_known(cls, name: str) -> str:
        return known_zone(name)

    def step(self, component_id: str) -> Step:
        """What the step asks for, with `resources.default` where it says nothing."""
        default = self.resources.get("default", Step())
        return self.resources.get(component_id, Step()).over(default)

    def image_of(self, step: Step) -> str:
        """The image of a step: `gpu_image`, if there is one, for those that ask for a GPU."""
        return self.gpu_image if step.gpu and self.gpu_image else self.image

    def mounts(self, path: str) -> bool:
        """Tells whether a local path lies on a volume that every step mounts."""
        return any(f"{path.rstrip('/')}/".startswith(f"{volume.path.rstrip('/')}/") for volume in self.volumes)
