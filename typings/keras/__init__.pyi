from typing import Any

from keras import callbacks as callbacks
from keras import layers as layers
from keras import optimizers as optimizers
from keras import random as random
from keras import saving as saving
from keras.layers import Layer as Layer

class Variable:
    # Of the running backend.
    value: Any
    shape: tuple[int, ...]
    dtype: str
    path: str
    name: str
    regularizer: Any
    def __init__(
        self,
        initializer: object,
        shape: object = None,
        dtype: str | None = None,
        trainable: bool = True,
        autocast: bool = True,
        aggregation: str = "none",
        name: str | None = None,
    ) -> None: ...
    def assign(self, value: object) -> Any: ...
    def assign_add(self, value: object) -> Any: ...
    def assign_sub(self, value: object) -> Any: ...
    def __mul__(self, other: object) -> Any: ...
    def __rmul__(self, other: object) -> Any: ...

def __getattr__(name: str) -> Any: ...
