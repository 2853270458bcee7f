from collections.abc import Sequence
from typing import Any

from keras import Variable
from keras.optimizers import schedules as schedules

class Optimizer:
    learning_rate: Any
    weight_decay: float | None
    use_ema: bool
    ema_momentum: float
    iterations: Variable
    def exclude_from_weight_decay(self, var_list: object = None, var_names: list[str] | None = None) -> None: ...
    def __init__(self, learning_rate: object, **kwargs: object) -> None: ...
    @property
    def variables(self) -> list[Variable]: ...
    def get_config(self) -> dict[str, object]: ...
    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None: ...
    def add_optimizer_variables(
        self, trainable_variables: Sequence[Any], name: Any, initializer: Any = "zeros"
    ) -> Any: ...
    # Private to Keras; trainer/optimizers.py says why it takes them.
    _learning_rate: Any
    _distribution_strategy: Any
    _distributed_tf_update_step: Any
    _model_variables_moving_average: list[Variable]
    def _use_weight_decay(self, variable: Any) -> bool: ...
    def _get_variable_index(self, variable: Any) -> int: ...
    def _backend_update_step(
        self, grads: Sequence[Any], trainable_variables: Sequence[Any], learning_rate: Any
    ) -> None: ...
    def _clip_gradients(self, grads: list[Any]) -> list[Any]: ...
    def _all_reduce_sum_gradients(self, grads_and_vars: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]: ...
    def _apply_weight_decay(self, variables: Sequence[Any]) -> None: ...
    def _update_model_variables_moving_average(self, trainable_variables: Sequence[Any]) -> None: ...

class RMSprop(Optimizer):
    rho: float
    momentum: float
    epsilon: float
    centered: bool
    _velocities: list[Variable]
    _momentums: list[Variable]
    def __init__(
        self,
        learning_rate: object = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        **kwargs: object,
    ) -> None: ...

class AdamW(Optimizer):
    beta_1: float
    beta_2: float
    epsilon: float
    amsgrad: bool
    _velocities: list[Variable]
    _momentums: list[Variable]

def __getattr__(name: str) -> Any: ...
