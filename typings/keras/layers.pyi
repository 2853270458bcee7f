from typing import Any

from keras import Variable

class Layer:
    name: str
    trainable: bool
    output: Any
    def __init__(self, **kwargs: object) -> None: ...
    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...
    # Every layer has its own arguments.
    def build(self, *args: Any, **kwargs: Any) -> None: ...
    def call(self, *args: Any, **kwargs: Any) -> Any: ...
    def compute_output_shape(self, *args: Any, **kwargs: Any) -> Any: ...
    def add_weight(
        self,
        shape: object = None,
        initializer: object = None,
        dtype: str | None = None,
        trainable: bool = True,
        name: str | None = None,
    ) -> Variable: ...
    def get_config(self) -> dict[str, object]: ...
    def set_weights(self, weights: object) -> None: ...
    @property
    def variables(self) -> list[Variable]: ...
    @property
    def weights(self) -> list[Variable]: ...

class BatchNormalization(Layer):
    axis: int
    momentum: float
    epsilon: float
    center: bool
    scale: bool
    synchronized: bool
    gamma: Variable
    beta: Variable
    moving_mean: Variable
    moving_variance: Variable

class DepthwiseConv2D(Layer):
    kernel: Variable
    kernel_size: tuple[int, int]
    strides: tuple[int, int]
    dilation_rate: tuple[int, int]
    padding: str
    data_format: str
    use_bias: bool
    depthwise_initializer: Any
    activation: object
    def __init__(self, kernel_size: int, **kwargs: object) -> None: ...

class Conv2D(Layer):
    filters: int
    kernel: Variable
    kernel_initializer: object
    def __init__(self, filters: int, kernel_size: int, **kwargs: object) -> None: ...

class _ImageLayer(Layer):
    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any: ...
    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any: ...
    def transform_labels(self, labels: Any, transformation: Any, training: bool = True) -> Any: ...

class RandomErasing(_ImageLayer):
    def __init__(
        self, factor: float | tuple[float, float] = 1.0, scale: tuple[float, float] = ..., fill_value: object = None
    ) -> None: ...

class MixUp(_ImageLayer):
    def __init__(self, alpha: float = 0.2) -> None: ...

class CutMix(_ImageLayer):
    def __init__(self, factor: float | tuple[float, float] = 1.0) -> None: ...

def __getattr__(name: str) -> Any: ...
