"""ImageTransform as a TFX component."""

from tfx import v1 as tfx
from tfx.dsl.components.base.executor_spec import BeamExecutorSpec

from components.image_transform.executor import Executor


class ImageTransform(tfx.components.Transform):
    """Transform for the examples of ImageExampleGen.

    It fails before it starts if what it would store has no room on the disk, and afterwards if an example is missing.
    """

    EXECUTOR_SPEC = BeamExecutorSpec(Executor)
