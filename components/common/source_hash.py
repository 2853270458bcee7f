"""A hash of source files, for the cache key of the components that run them.

TFX puts a component's parameters into the cache key, but not its code, nor that of a dotted `run_fn` or
`preprocessing_fn`: without this an edited file would reuse the outputs of the old one.
"""

import hashlib
from pathlib import Path
from types import ModuleType


def source_hash(*sources: ModuleType | Path | str) -> str:
    """Returns a sha256 (64 hex digits) of the names and contents of `sources`.

    A package or a folder stands for every Python file below it. The order of the arguments and the place where the
    project is installed do not matter.

    Raises:
        FileNotFoundError: if a source does not exist.
        ValueError: if a module has no file, as built-in modules have not.
    """
    digests = sorted(_digest(name, path) for source in sources for name, path in _files(source))
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def _files(source: ModuleType | Path | str) -> list[tuple[str, Path]]:
    """Returns (name, path) of each file of `source`; names are relative, so that they do not depend on the machine."""
    if isinstance(source, ModuleType):
        if source.__file__ is None:
            raise ValueError(f"module {source.__name__} has no file: expected a module of Python source")
        file = Path(source.__file__)
        path = file.parent if file.name == "__init__.py" else file
    else:
        path = Path(source)
    if path.is_dir():
        return [(file.relative_to(path.parent).as_posix(), file) for file in path.rglob("*.py")]
    return [(path.name, path)]


def _digest(name: str, path: Path) -> str:
    return f"{name} {hashlib.sha256(path.read_bytes()).hexdigest()}"
