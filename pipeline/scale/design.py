"""The design of a study or a comparison, from the configuration and what the user wants to compare."""

from collections.abc import Sequence
from typing import Any

from components.common.code_key import code_key
from components.common.human_format import counted
from pipeline.config.model import ConfigError, PipelineConfig
from pipeline.scale.experiment import SAME, Effort, Experiment, Network
from trainer.compound.backbone_table import BACKBONES, Backbone
from trainer.compound.matched_flops import BASE, ScaledNetwork, scaled_networks
from trainer.cost import network_cost, same_network
from trainer.recipes import published_rates, recipe_of
from trainer.scaling import BASE_RESOLUTION, VARIANTS
from trainer.settings import ModelSettings, TrainingConfig


def study_experiment(
    config: PipelineConfig, effort: Effort, levels: Sequence[float], classes: int | None
) -> Experiment:
    """The base, and the networks that each way of scaling makes of it at each level.

    Args:
      config: of the pipeline; `model` is the base.
      effort: how much is spent.
      levels: multiples of the base's multiply-adds.
      classes: width of the classifier; None: the FLOPs are matched without it.

    Raises:
      ConfigError: a level cannot be reached.
    """
    check_fair(config)
    model = config.model
    try:
        networks = scaled_networks(model, levels, classes)
    except ValueError as error:
        raise ConfigError(f"--level: {error}") from error
    return Experiment(
        command="study",
        title="Ways of scaling, at matched FLOPs",
        intro=f"Each network is the same base, made larger in one way to have {_listed(levels)} times its "
        "multiply-adds: deeper, wider, on larger images, or all three by the compound coefficient phi "
        f"(alpha {model.alpha:g}, beta {model.beta:g}, gamma {model.gamma:g}).",
        networks=distinct([_scaled(network, networks[0].macs) for network in networks]),
        base=BASE,
        **_common(config, effort),
    )


def compare_experiment(
    config: PipelineConfig, effort: Effort, variants: Sequence[str], backbones: Sequence[str]
) -> Experiment:
    """Our variants, the network of `model.phi` if there is one, and keras.applications' networks.

    Raises:
      ConfigError: a network is not known.
    """
    for option, names, valid in (("variant", variants, VARIANTS), ("backbone", backbones, BACKBONES)):
        if unknown := [name for name in names if name not in valid]:
            raise ConfigError(f"--{option} {unknown[0]}: expected one of {', '.join(valid)}")
    if config.model.weights not in ("none", "imagenet"):
        raise ConfigError("a comparison starts from model.weights none or imagenet, which all networks have")
    check_fair(config, pretrained=config.model.weights == "imagenet")
    side, weights = config.model.image_size, config.model.weights
    common = {"image_size": side, "weights": weights}
    ours = [ModelSettings.model_validate({"variant": variant, **common}) for variant in dict.fromkeys(variants)]
    if config.model.phi is not None:
        ours.append(config.model)
    networks = [_own(model) for model in ours]
    others = ModelSettings(image_size=side or BASE_RESOLUTION, weights=weights)
    networks += [_backbone(name, BACKBONES[name], others) for name in dict.fromkeys(backbones)]
    return Experiment(
        command="compare",
        title="EfficientNet beside other networks",
        intro="Our variants and networks of keras.applications, all trained by the same recipe on the same images"
        + (", from their ImageNet weights." if weights == "imagenet" else ", from scratch."),
        networks=distinct(networks),
        **_common(config, effort),
    )


def distinct(networks: Sequence[Network]) -> tuple[Network, ...]:
    """Each network once, so that it is trained once; names and groups of its duplicates are joined to its own."""
    found: dict[object, Network] = {}
    for network in networks:
        key = network.backbone or same_network(network.model.chosen_variant)
        first = found.setdefault(key, network)
        if first is not network:
            group = first.group if network.group in first.group.split(SAME) else f"{first.group}{SAME}{network.group}"
            found[key] = first.model_copy(update={"name": f"{first.name}{SAME}{network.name}", "group": group})
    return tuple(found.values())


def check_fair(config: PipelineConfig, pretrained: bool = False) -> None:
    """Refuses a recipe that would treat networks differently.

    Args:
      config: with the recipe.
      pretrained: whether all start from published weights, so that they may begin with the head alone.

    Raises:
      ConfigError: the recipe would.
    """
    if config.train.batch_size == "auto":
        raise ConfigError("train.batch_size auto would give each network its own; use --set train.batch_size=32")
    if recipe_of(config.train).head_share and not pretrained:
        raise ConfigError(
            "these networks train from scratch, without a phase for the head; use --set train.recipe=quick"
        )


def training_config(config: PipelineConfig, effort: Effort, network: Network, latency: bool = True) -> TrainingConfig:
    """A TrainingJob's `config` for a network, by the recipe of the configuration.

    All have the same dropout unless `train` sets it, so that they differ only in their shape.
    """
    asked = config.train
    rates = {
        rate: getattr(asked, rate) if getattr(asked, rate) is not None else published
        for rate, published in published_rates("b0").items()
    }
    train = asked.model_copy(update={"epochs": effort.epochs, "patience": None, **rates})
    return {
        "model": network.model.model_dump(),
        "train": train.model_dump(),
        "transform": images_of(config, network.side).transform.model_dump(),
        "image_size": network.side,
        "seed": config.seed,
        "source": code_key("trainer.compound.trainings"),
        "data_fraction": effort.data_fraction,
        "backbone": network.backbone,
        "latency": latency,
    }


def images_of(config: PipelineConfig, side: int) -> PipelineConfig:
    """The configuration whose Transform stores the images with that side, in pixels."""
    model = config.model.model_copy(update={"phi": None, "image_size": side})
    transform = config.transform.model_copy(update={"materialize": True})
    return config.model_copy(update={"model": model, "transform": transform})


def _scaled(network: ScaledNetwork, base_macs: int) -> Network:
    variant = network.model.chosen_variant
    return Network(
        name=BASE if network.way == BASE else f"{network.way} x{network.level:g}",
        group=network.way,
        model=network.model,
        layers=network.layers,
        macs=network.macs,
        details={
            "level": network.level,
            "true_level": round(network.macs / base_macs, 3),
            "depth": round(variant.depth_coefficient, 3),
            "width": round(variant.width_coefficient, 3),
            "side": variant.resolution,
        },
    )


def _own(model: ModelSettings) -> Network:
    variant = model.chosen_variant
    cost = network_cost(variant, None)
    return Network(
        name=variant.name,
        group="EfficientNet",
        model=model,
        layers=len(cost.layers),
        macs=cost.macs,
        details={"side": variant.resolution},
    )


def _backbone(name: str, backbone: Backbone, model: ModelSettings) -> Network:
    side = model.chosen_variant.resolution
    return Network(
        name=name,
        group=backbone.family,
        model=model,
        layers=backbone.layers,
        macs=round(backbone.gmacs * 1e9 * (side / BASE_RESOLUTION) ** 2),
        details={"side": side},
        backbone=name,
    )


def _common(config: PipelineConfig, effort: Effort) -> dict[str, Any]:
    return {
        "recipe": f"{config.train.recipe}, {counted(effort.epochs, 'epoch')}, batches of {config.train.batch_size}",
        "source": config.data.path,
        "epochs": effort.epochs,
        "seeds": effort.seeds_from(config.seed),
    }


def _listed(levels: Sequence[float]) -> str:
    *before, last = (f"{level:g}" for level in sorted(set(levels)))
    return f"{', '.join(before)} and {last}" if before else last
