from typing import Any

from keras_tuner import engine as engine
from keras_tuner import errors as errors
from keras_tuner import oracles as oracles
from keras_tuner.engine.hyperparameters import HyperParameters as HyperParameters
from keras_tuner.engine.objective import Objective as Objective
from keras_tuner.engine.oracle import Oracle as Oracle

def __getattr__(name: str) -> Any: ...
