"""What a network costs, layer by layer, from the block table alone: parameters, multiply-adds, activations.

Pure Python; nothing is built. The layers, their names and their numbers are those of the network that
`build_efficientnet` makes (tests/trainer/test_cost.py compares the two).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from trainer.scaling import Block, Variant, get_variant, stem_filters, top_filters, unroll_blocks

BYTES_PER_ACTIVATION = 4  # float32; half of it under mixed precision


@dataclass(frozen=True)
class LayerCost:
    """One layer for one image.

    Args:
      name: as in the built network.
      parameters: all weights, batch norm's moving statistics included.
      macs: multiply-adds of convolutions and the classifier. As wherever "FLOPs" of EfficientNets are given, one
        multiply-add counts as one, and what only touches each element (batch norm, activations, pooling) as none.
      activations: numbers that it puts out.
    """

    name: str
    parameters: int
    macs: int
    activations: int

    @property
    def stage(self) -> str:
        """What of the network it belongs to: "stem", "block2a", "top", and so on."""
        first = self.name.partition("_")[0]
        return first if first.startswith("block") else "stem" if first in ("normalization", "stem") else "top"


@dataclass(frozen=True)
class Cost:
    """A network's layers, from the input on."""

    layers: tuple[LayerCost, ...]

    @property
    def parameters(self) -> int:
        """As Keras' `count_params` counts: with batch norm's statistics, and 7 for the normalisation of the input."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def macs(self) -> int:
        """Multiply-adds of a forward pass of one image."""
        return sum(layer.macs for layer in self.layers)

    @property
    def activation_bytes(self) -> int:
        """Of all layers for one image in float32: about what a training step keeps for the gradient.

        A little more than that: layers that TensorFlow fuses here keep one result instead of two (trainer/kernels.py).
        """
        return sum(layer.activations for layer in self.layers) * BYTES_PER_ACTIVATION

    def stages(self) -> list[LayerCost]:
        """The layers of each block summed up; the activations are the sum of its layers' too."""
        sums: dict[str, list[int]] = {}
        for layer in self.layers:
            counts = sums.setdefault(layer.stage, [0, 0, 0])
            for index, count in enumerate((layer.parameters, layer.macs, layer.activations)):
                counts[index] += count
        return [LayerCost(stage, *counts) for stage, counts in sums.items()]


def network_cost(variant: str | Variant, num_classes: int | None = 1000, image_size: int | None = None) -> Cost:
    """What `build_efficientnet` would build.

    Args:
      variant: "b0" to "b7", "lite0" to "lite4", or a `Variant` of one's own.
      num_classes: width of the classifier; None: no top, as with `include_top=False`.
      image_size: side of the input in pixels; the variant's resolution by default.

    Raises:
      ValueError: unknown variant.
    """
    variant = get_variant(variant)
    return Cost(tuple(_layers(variant, num_classes, image_size or variant.resolution)))


def same_network(variant: Variant) -> tuple[object, ...]:
    """What two variants share exactly when they are the same network: blocks, channels and side, after rounding."""
    blocks = (block.args for block in unroll_blocks(variant))
    ends = (stem_filters(variant), variant.stem_strides, top_filters(variant))
    return variant.resolution, *ends, *blocks


def _layers(variant: Variant, num_classes: int | None, side: int) -> Iterator[LayerCost]:
    yield LayerCost("normalization", 7, 0, side * side * 3)
    side = _halved(side) if variant.stem_strides == 2 else side
    filters = stem_filters(variant)
    yield from _conv_and_norm("stem", 3, 3, filters, side)
    for block in unroll_blocks(variant):
        yield from _mbconv(block, side)
        side = _halved(side) if block.args.strides == 2 else side
        filters = block.args.filters_out
    top = top_filters(variant)
    yield from _conv_and_norm("top", 1, filters, top, side)
    if num_classes is not None:
        yield LayerCost("avg_pool", 0, 0, top)
        yield LayerCost("top_dropout", 0, 0, top)
        yield LayerCost("predictions", (top + 1) * num_classes, top * num_classes, num_classes)


def _mbconv(block: Block, side: int) -> Iterator[LayerCost]:
    """The layers of trainer.blocks.mbconv; `side` is of the block's inputs."""
    name, args = block.name, block.args
    inner = args.filters_in * args.expand_ratio
    if args.expand_ratio != 1:
        yield from _conv_and_norm(f"{name}_expand", 1, args.filters_in, inner, side)
    side = _halved(side) if args.strides == 2 else side
    pixels = side * side

    depthwise = args.kernel_size**2 * inner
    yield LayerCost(f"{name}_dwconv", depthwise, depthwise * pixels, inner * pixels)
    yield LayerCost(f"{name}_bn", 4 * inner, 0, inner * pixels)
    yield LayerCost(f"{name}_activation", 0, 0, inner * pixels)

    if args.se_ratio:
        bottleneck = max(1, int(args.filters_in * args.se_ratio))
        yield LayerCost(f"{name}_se_squeeze", 0, 0, inner)
        yield LayerCost(f"{name}_se_reduce", (inner + 1) * bottleneck, inner * bottleneck, bottleneck)
        yield LayerCost(f"{name}_se_expand", (bottleneck + 1) * inner, bottleneck * inner, inner)
        yield LayerCost(f"{name}_se_excite", 0, 0, inner)

    outputs = args.filters_out * pixels
    yield LayerCost(f"{name}_project_conv", inner * args.filters_out, inner * outputs, outputs)
    yield LayerCost(f"{name}_project_bn", 4 * args.filters_out, 0, outputs)
    if args.strides == 1 and args.filters_in == args.filters_out:
        if block.depth_fraction > 0:
            yield LayerCost(f"{name}_drop", 0, 0, outputs)
        yield LayerCost(f"{name}_add", 0, 0, outputs)


def _conv_and_norm(name: str, kernel_size: int, filters_in: int, filters_out: int, side: int) -> Sequence[LayerCost]:
    """A convolution without bias, its batch norm and swish; `side` is of the outputs."""
    weights, outputs = kernel_size**2 * filters_in * filters_out, filters_out * side * side
    return (
        LayerCost(f"{name}_conv", weights, weights * side * side, outputs),
        LayerCost(f"{name}_bn", 4 * filters_out, 0, outputs),
        LayerCost(f"{name}_activation", 0, 0, outputs),
    )


def _halved(side: int) -> int:
    """The side after a stride of 2 with "same" padding."""
    return -(-side // 2)
