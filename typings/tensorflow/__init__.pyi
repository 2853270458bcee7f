from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, overload

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")
_Function = TypeVar("_Function", bound=Callable[..., Any])

class Module:
    def __init__(self, name: str | None = None) -> None: ...

@overload
def function(
    func: Callable[..., Any],
    input_signature: object = None,
    autograph: bool = True,
    jit_compile: bool | None = None,
    reduce_retracing: bool = False,
) -> Any: ...
@overload
def function(*, input_signature: object = None, autograph: bool = True) -> Callable[[_Function], _Function]: ...
def custom_gradient(
    f: Callable[_Parameters, tuple[_Result, Callable[..., Any]]],
) -> Callable[_Parameters, _Result]: ...
def __getattr__(name: str) -> Any: ...
