"""Which pushed model answers. Light, so that a server starts without what `effnet predict` reads folders with."""

from components.served_model.versions import served_path
from pipeline.config.model import PipelineConfig


class NothingServed(RuntimeError):
    """No model has been pushed yet."""

    def __init__(self, push_path: str):
        super().__init__(f"no model is served from {push_path}; run `effnet run` first")


def served_model_path(config: PipelineConfig) -> str:
    """Returns the folder of the version that is served now.

    Raises:
      NothingServed: there is none.
    """
    served = served_path(config.push_path)
    if not served:
        raise NothingServed(config.push_path)
    return served
