"""What the trainer can be told: the `model`, `transform`, `train` and `tune` sections of pipeline.yaml.

The pipeline hands each section over as a plain dict; `model_validate` turns it back into these types.
Importing this module loads neither TensorFlow nor Keras.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Rate = Annotated[float, Field(ge=0.0, lt=1.0)]


class Settings(BaseModel):
    """A frozen section of pipeline.yaml that refuses keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ModelSettings(Settings):
    """Which EfficientNet to build."""

    variant: Literal["b0", "b1", "b2", "b3", "b4", "b5", "b6", "b7"] = "b0"
    image_size: Annotated[int, Field(ge=32, le=2048)] | None = None


class TransformSettings(Settings):
    """How images are resized and stored for training."""

    resize: Literal["crop", "squash", "pad"] = "crop"
    format: Literal["jpeg", "png"] = "jpeg"
    jpeg_quality: Annotated[int, Field(ge=50, le=100)] = 95


class TrainSettings(Settings):
    """Optimiser, schedule and regularisation of the final training."""

    epochs: Annotated[int, Field(ge=1)] = 8
    batch_size: Annotated[int, Field(ge=1)] = 32
    learning_rate: Annotated[float, Field(gt=0)] = 0.003
    warmup_fraction: Rate = 0.1
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    label_smoothing: Rate = 0.1
    clip_norm: Annotated[float, Field(gt=0)] | None = 1.0
    dropout_rate: Rate | None = None
    drop_connect_rate: Rate | None = None
    horizontal_flip: bool = False


class TuneSettings(Settings):
    """The search over dropout and drop-connect."""

    enabled: bool = True
    algorithm: Literal["random", "bayesian", "grid", "hyperband"] = "random"
    trials: Annotated[int, Field(ge=1)] = 3
    epochs: Annotated[int, Field(ge=1)] = 1
    data_fraction: Annotated[float, Field(gt=0, le=1)] = 1.0
    dropout_rate: tuple[Rate, Rate] = (0.0, 0.5)
    drop_connect_rate: tuple[Rate, Rate] = (0.0, 0.3)

    @model_validator(mode="after")
    def _ranges_ascend(self) -> "TuneSettings":
        for name in ("dropout_rate", "drop_connect_rate"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name} must be [lowest, highest]; got [{low}, {high}]")
        return self
