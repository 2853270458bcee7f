"""The networks of keras.applications that ours are compared with. Pure Python."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Backbone:
    """A network of keras.applications.

    Args:
      family: what it is shown with.
      module: of keras.applications, with the `preprocess_input` that its published weights were trained with.
      layers: of the network with our classifier, for forecasts.
      gmacs: giga multiply-adds of an image of 224 pixels and 1,000 classes, likewise.
    """

    family: str
    module: str
    layers: int
    gmacs: float


BACKBONES = {
    "ResNet50": Backbone("ResNet", "resnet", 179, 3.9),
    "ResNet101": Backbone("ResNet", "resnet", 349, 7.6),
    "ResNet152": Backbone("ResNet", "resnet", 519, 11.3),
    "MobileNetV2": Backbone("MobileNet", "mobilenet_v2", 158, 0.30),
    "MobileNetV3Small": Backbone("MobileNet", "mobilenet_v3", 160, 0.057),
    "MobileNetV3Large": Backbone("MobileNet", "mobilenet_v3", 190, 0.22),
}
