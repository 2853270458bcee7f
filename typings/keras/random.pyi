from typing import Any

from keras import Variable

class SeedGenerator:
    seed: Any
    state: Variable
    def __init__(self, seed: int | None = None) -> None: ...
    def next(self, ordered: bool = True) -> Any: ...

def __getattr__(name: str) -> Any: ...
