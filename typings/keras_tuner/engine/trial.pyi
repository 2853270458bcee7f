from typing import Any

from keras_tuner.engine.hyperparameters import HyperParameters

class Trial:
    trial_id: str
    status: str
    score: float
    hyperparameters: HyperParameters
    def get_state(self) -> dict[str, Any]: ...
