"""A hash of the code that a step runs, for its cache key.

TFX puts a step's settings into its cache key, but not its code: without this an edited file would reuse the outputs of
the old one. The hash is of what is imported, directly or not, by the modules that the step begins with, wherever the
import stands; `if TYPE_CHECKING` is not followed, because it never runs. Nothing is imported to find out.
"""

import ast
import functools
import hashlib
import importlib.util
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

ROOMS = ("components", "data", "pipeline", "trainer")  # whose files are hashed; of all else the version counts
ROOT = Path(__file__).resolve().parents[2]  # where the rooms are: a checkout, or site-packages
TFX_STEPS = "tfx.components."  # these modules stand for the libraries that they wrap
FINDERS = ("import_module", "find_spec", "__import__")  # imports, where they are given a text
NO_CODE = ("ctx", "kind", "type_comment", "type_ignores")  # what syntax trees note besides
NO_DATA = (".py", ".pyc", "~")


@dataclass(frozen=True)
class Closure:
    """What some modules run.

    Attributes:
        modules: their names and those of all that they import from `ROOMS`, sorted.
        files: other files in the folders of these modules, such as templates, sorted; relative to where the rooms are.
        libraries: what they import besides, sorted, each as "name==version".
        key: sha256 (64 hex digits) of all three with the files' content. Comments, docstrings, the layout of the code,
            and where it is installed make no difference.
    """

    modules: tuple[str, ...]
    files: tuple[str, ...]
    libraries: tuple[str, ...]
    key: str


def code_key(*roots: str, place: Path = ROOT) -> str:
    """Returns the `key` of `closure`."""
    return closure(*roots, place=place).key


def is_code(name: str, place: Path = ROOT) -> bool:
    """Tells whether a dotted name is that of a module in `ROOMS`, or of what such a module defines."""
    return bool(_defining(name, place))


def closure(*roots: str, place: Path = ROOT) -> Closure:
    """Finds the code behind names.

    Args:
        roots: dotted names of modules, or of what they define.
        place: the folder with the rooms.

    Raises:
        ValueError: if there is no such module.
        SyntaxError: if a file is no Python.
    """
    found: dict[str, str] = {}
    outside: set[str] = set()
    todo = [_module_of(root, place) for root in roots]
    while todo:
        name = todo.pop()
        if name.partition(".")[0] not in ROOMS:
            outside.add(name)
        elif name not in found and (path := _source_of(name, place)):
            package = name if path.stem == "__init__" else name.rpartition(".")[0]
            module = read_module(path.read_bytes(), package)
            found[name] = module.digest
            above = name.rpartition(".")[0]  # Python runs the packages above a module as well
            todo += [*module.imports, *([above] if above else [])]
    files = {file: _sha256((place / file).read_bytes()) for name in found for file in _data_beside(name, place)}
    libraries = sorted(set(_libraries(outside)))
    facts = sorted([*found.items(), *files.items()])
    key = _sha256("\n".join([*(f"{name} {digest}" for name, digest in facts), *libraries]).encode())
    return Closure(tuple(sorted(found)), tuple(sorted(files)), tuple(libraries), key)


class Module(NamedTuple):
    """What a source file does: a hash of it, and the names that it imports, modules or not."""

    digest: str
    imports: tuple[str, ...]


@functools.cache
def read_module(source: bytes, package: str) -> Module:
    """Reads a source file.

    Args:
        source: its content.
        package: the package that it is in, from which relative imports count.
    """
    tokens: list[str] = []
    imports: list[str] = []
    _read(ast.parse(source), package, tokens, imports)
    return Module(_sha256("\0".join(tokens).encode("utf-8", "surrogatepass")), tuple(dict.fromkeys(imports)))


def _read(node: object, package: str, tokens: list[str], imports: list[str]) -> None:
    """Adds what a syntax tree says, in a form that is the same for all versions of Python, and what it imports."""
    if isinstance(node, list):
        tokens.append("[")
        for entry in _that_run(node):
            _read(entry, package, tokens, imports)
        tokens.append("]")
    elif isinstance(node, ast.AST):
        imports += _imported_by(node, package)
        tokens.append(type(node).__name__)
        for name in node._fields:
            value = getattr(node, name, None)
            if name not in NO_CODE and value is not None and value != []:
                tokens.append(name)
                _read(value, package, tokens, imports)
        tokens.append(")")
    else:
        tokens.append(repr(node))


def _that_run(nodes: list[object]) -> Iterator[object]:
    """Leaves out docstrings, and what only type checkers read."""
    for node in nodes:
        if isinstance(node, ast.If) and _names(node.test) == "TYPE_CHECKING":
            yield from _that_run(list(node.orelse))
        elif not (
            isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        ):
            yield node


def _imported_by(node: ast.AST, package: str) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        module = node.module or ""
        if node.level:
            module = importlib.util.resolve_name("." * node.level + module, package)
        return [module, *(f"{module}.{alias.name}" for alias in node.names)]
    if isinstance(node, ast.Call) and _names(node.func) in FINDERS and node.args:
        (name, *_) = node.args
        return [name.value] if isinstance(name, ast.Constant) and isinstance(name.value, str) else []
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.endswith(".py"):
        return [f"{package}.{node.value.removesuffix('.py')}"]  # a script that lies beside, if it is one
    return []


def _names(node: ast.expr) -> str:
    """The last part of a dotted name; "" of another expression."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _module_of(root: str, place: Path) -> str:
    """The module that a root is, or that defines it."""
    if root.partition(".")[0] not in ROOMS:
        if not _distributions_of(root):
            raise ValueError(f"{root} is neither in {', '.join(ROOMS)} nor of an installed package: correct its name")
        return root
    if not (module := _defining(root, place)):
        raise ValueError(f"there is no module for {root} in {place}: correct its name")
    return module


def _defining(name: str, place: Path) -> str:
    """The module of that name, else that of the name without its last part; "" if neither is there."""
    return next((module for module in (name, name.rpartition(".")[0]) if module and _source_of(module, place)), "")


def _source_of(module: str, place: Path) -> Path | None:
    path = place.joinpath(*module.split("."))
    return next((file for file in (path / "__init__.py", path.with_name(f"{path.name}.py")) if file.is_file()), None)


def _data_beside(module: str, place: Path) -> Iterator[str]:
    """The other files in a package's folder, and in folders there that are no packages; relative to `place`."""
    source = _source_of(module, place)
    todo = [source.parent] if source and source.stem == "__init__" else []
    while todo:
        for path in todo.pop().iterdir():
            if path.name.startswith((".", "__pycache__")):
                continue
            if path.is_dir() and not (path / "__init__.py").exists():
                todo.append(path)
            elif path.is_file() and not path.name.endswith(NO_DATA):
                yield path.relative_to(place).as_posix()


def _libraries(names: Iterable[str]) -> Iterator[str]:
    """Each as "name==version", so also those that TFX's own steps wrap; one that is not there counts as well."""
    todo, seen = list(names), set[str]()
    while todo:
        name = todo.pop()
        if name in seen or name.partition(".")[0] in sys.stdlib_module_names:
            continue
        seen.add(name)
        found = _distributions_of(name)
        yield from found or [f"{name.partition('.')[0]} is not installed"]
        if name.startswith(TFX_STEPS) and found:
            todo += [imported for imported in _imports_of_library(name) if not imported.startswith("tfx.")]


@functools.cache
def _imports_of_library(module: str) -> tuple[str, ...]:
    """What an installed module imports; its package is found, and not imported."""
    top, _, rest = module.partition(".")
    spec = importlib.util.find_spec(top)
    for folder in spec.submodule_search_locations or [] if spec else []:
        if source := _source_of(rest, Path(folder)):
            package = module if source.stem == "__init__" else module.rpartition(".")[0]
            return read_module(source.read_bytes(), package).imports
    return ()


@functools.cache
def _distributions_of(module: str) -> tuple[str, ...]:
    """The installed distributions that hold a module, as "name==version".

    `metadata.packages_distributions` takes most of a second, and of `google.protobuf` it knows only which distributions
    have `google`.
    """
    owners = _owners().get(module.partition(".")[0], [])
    parts = module.split(".")
    for depth in range(2, len(parts) + 1):
        if len(owners) == 1:
            break
        path = re.compile(rf"^{'/'.join(map(re.escape, parts[:depth]))}[/.]", re.MULTILINE)
        owners = [owner for owner in owners if path.search(owner.read_text("RECORD") or "")] or owners
    return tuple(sorted({f"{re.sub(r'[-_.]+', '-', owner.name).lower()}=={owner.version}" for owner in owners}))


@functools.cache
def _owners() -> dict[str, list[metadata.Distribution]]:
    """The installed distributions by the modules and packages at their top."""
    owners: dict[str, list[metadata.Distribution]] = {}
    for distribution in metadata.distributions():
        if declared := distribution.read_text("top_level.txt"):
            names = {line.partition("/")[0] for line in declared.split()}
        else:
            lines = (distribution.read_text("RECORD") or "").splitlines()
            names = {re.split(r"[/.,]", line, maxsplit=1)[0] for line in lines}
        for name in names:
            owners.setdefault(name, []).append(distribution)
    return owners


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
