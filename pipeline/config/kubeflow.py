"""The `runners.kubeflow` section of pipeline.yaml."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from trainer.settings import Settings

AbsolutePath = Annotated[str, Field(pattern=r"^/.+")]
# A Kubernetes quantity of bytes: 512Mi, 16G.
Memory = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?(Ki|Mi|Gi|Ti|k|K|M|G|T)?$")]


class Toleration(Settings):
    """A taint that a step's pod puts up with."""

    key: str | None = None
    operator: Literal["Equal", "Exists"] | None = None
    value: str | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None


class Secret(Settings):
    """A Kubernetes secret whose keys become environment variables: key in the secret -> variable."""

    name: str
    env: Annotated[dict[str, str], Field(min_length=1)]


class Volume(Settings):
    """A persistent volume claim, mounted at `path` in every step."""

    claim: str
    path: AbsolutePath


class Step(Settings):
    """What one step's pod asks for; None takes the value of `resources.default`, and there the cluster's own."""

    cpu: Annotated[float, Field(gt=0)] | None = None
    memory: Memory | None = None
    gpu: Annotated[int, Field(ge=0)] | None = None
    gpu_type: str | None = None
    node_selector: dict[str, str] | None = None
    tolerations: tuple[Toleration, ...] | None = None
    retries: Annotated[int, Field(ge=0)] | None = None
    cache: bool | None = None

    def over(self, default: "Step") -> "Step":
        """These values, and those of `default` where there are none."""
        return Step(**{**default.model_dump(exclude_none=True), **self.model_dump(exclude_none=True)})


class KubeflowSettings(Settings):
    """Where the pipeline runs, and with what."""

    endpoint: str | None = None
    image: str = "tfx-efficientnet:latest"
    gpu_image: str | None = None
    pipeline_root: str | None = None
    state: AbsolutePath = "/tmp/effnet"
    service_account: str | None = None
    env: dict[str, str] = Field(default_factory=dict)
    secrets: tuple[Secret, ...] = ()
    volumes: tuple[Volume, ...] = ()
    resources: dict[str, Step] = Field(default_factory=dict)

    @field_validator("pipeline_root")
    @classmethod
    def _in_an_object_store(cls, root: str | None) -> str | None:
        if root is not None and not root.startswith(("minio://", "s3://", "gs://")):
            raise ValueError(
                f"got {root}, expected minio://, s3:// or gs://, the stores that Kubeflow's launcher knows"
            )
        return root

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
