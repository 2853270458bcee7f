"""The served model's weights as the start of the next training."""

from components.common.model_info import read_model_info
from components.served_model.versions import served_path
from pipeline.config.model import PipelineConfig


def served_weights(config: PipelineConfig) -> str:
    """The SavedModel to start from, as `model.weights` takes it; "" to start as pipeline.yaml says.

    It is "" without `schedule.warm_start`, without a served model, and if the served network is another one.
    """
    if not config.schedule.warm_start:
        return ""
    served = served_path(config.push_path)
    info = read_model_info(served) if served else {}
    wanted = {"variant": config.model.chosen_variant.name, **config.model.formula}
    return served if wanted.items() <= info.items() else ""
