"""Other networks to compare with: those of keras.applications, under our recipe, batch norm and classifier."""

from typing import Unpack

import keras

from trainer.compound.backbone_table import BACKBONES
from trainer.efficientnet import INITIAL_CLASSES, INPUT_NAME
from trainer.fit.context import NetworkOptions, TrainingContext
from trainer.kernels import Tensor
from trainer.mbconv_squeeze_excite import layer_seed
from trainer.stochastic_depth import Dropout
from trainer.weights import CLASSIFIER


@keras.saving.register_keras_serializable("trainer")
class Preprocess(keras.layers.Layer):
    """RGB in [0, 255] to what the published weights of a module of keras.applications expect."""

    def __init__(self, module: str, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.module = module

    def call(self, inputs: Tensor) -> Tensor:
        """Scale, and swap the channels where the module does."""
        return getattr(keras.applications, self.module).preprocess_input(inputs)

    def get_config(self) -> dict[str, object]:
        """Return the arguments."""
        return {**super().get_config(), "module": self.module}

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the input's shape."""
        return input_shape


def build_backbone(
    name: str,
    num_classes: int,
    image_size: int,
    *,
    weights: str = "none",
    batch_norm_momentum: float = 0.99,
    dropout_rate: float | None = None,
    seed: int = 0,
) -> keras.Model:
    """Build the network with a classifier as EfficientNet's has.

    Args:
        name: one of `BACKBONES`.
        num_classes: width of the classifier.
        image_size: side of the input, pixels.
        weights: "none" or "imagenet".
        batch_norm_momentum: of the moving statistics, instead of the network's own, which suits long schedules only.
        dropout_rate: before the classifier; .2 by default.
        seed: of the classifier and its dropout; the layers below follow Keras' global seed.

    Returns:
        A flat model from `image`, (batch, image_size, image_size, 3) RGB in [0, 255], to logits (batch, num_classes).
    """
    module = BACKBONES[name].module
    own_scaling = {"include_preprocessing": False} if module == "mobilenet_v3" else {}
    inputs = keras.Input((image_size, image_size, 3), name=INPUT_NAME)
    if own_scaling:  # preprocess_input does nothing for these, their built-in scaling is this one
        scaled = keras.layers.Rescaling(1 / 127.5, offset=-1, name="rescaling")(inputs)
    else:
        scaled = Preprocess(module, name="preprocessing")(inputs)
    body = getattr(keras.applications, name)(
        include_top=False,
        weights=None if weights == "none" else weights,
        input_tensor=scaled,
        pooling="avg",
        **own_scaling,
    )
    for layer in body.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = batch_norm_momentum
    x = Dropout(0.2 if dropout_rate is None else dropout_rate, seed=layer_seed(seed, "drop"), name="top_dropout")(
        body.output
    )
    bound = max(num_classes, INITIAL_CLASSES) ** -0.5
    initializer = keras.initializers.RandomUniform(-bound, bound, seed=layer_seed(seed, CLASSIFIER))
    x = keras.layers.Dense(num_classes, kernel_initializer=initializer, dtype="float32", name=CLASSIFIER)(x)
    return keras.Model(inputs, x, name=name.lower())


class BackboneSetup(TrainingContext):
    """The setup of a job whose `backbone` is to be trained instead of an EfficientNet."""

    def new_network(self, *, drop_connect_rate: float = 0.0, **options: Unpack[NetworkOptions]) -> keras.Model:
        """The backbone; these networks have no stochastic depth."""
        job = self.job
        classes, weights = len(job.class_names), job.model_settings.weights
        return build_backbone(job.config["backbone"], classes, job.image_size, weights=weights, **options)


def built_macs(model: keras.Model) -> int:
    """Multiply-adds of one image, from the layers of any built network; counted as `trainer.cost` counts."""
    macs = 0
    for layer in model.layers:
        kernel = getattr(layer, "kernel", None)
        if kernel is None:
            continue
        outputs = 1
        for side in layer.output.shape[1:]:
            outputs *= side
        depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
        for side in kernel.shape[:2] if depthwise else kernel.shape[:-1]:
            outputs *= side
        macs += outputs
    return macs
