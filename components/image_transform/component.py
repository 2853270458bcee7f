"""ImageTransform as a TFX component."""

from collections.abc import Mapping
from typing import Required, TypedDict, Unpack

from tfx import v1 as tfx
from tfx.dsl.components.base.executor_spec import BeamExecutorSpec
from tfx.types import BaseChannel, standard_artifacts

from components.image_transform.executor import Executor


class TransformArguments(TypedDict, total=False):
    """The arguments of TFX's Transform that this project gives."""

    examples: Required[BaseChannel[standard_artifacts.Examples]]
    schema: Required[BaseChannel[standard_artifacts.Schema]]
    preprocessing_fn: str
    splits_config: tfx.proto.SplitsConfig
    materialize: bool
    disable_statistics: bool


class ImageTransform(tfx.components.Transform):
    """Transform for the examples of ImageExampleGen.

    It fails before it starts if what it would store has no room on the disk, and afterwards if an example is missing.
    """

    EXECUTOR_SPEC = BeamExecutorSpec(Executor)

    def __init__(self, custom_config: Mapping[str, object], **arguments: Unpack[TransformArguments]):
        """Describes the step.

        Args:
            custom_config: what `preprocessing_fn` is given.
            **arguments: as TFX's Transform takes them, with `preprocessing_fn` as a dotted name.
        """
        super().__init__(custom_config=dict(custom_config), **arguments)
