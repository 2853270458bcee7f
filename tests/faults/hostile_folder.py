"""A folder in which whatever Python might import writes down that it was imported."""

from pathlib import Path

# Of the standard library, of our dependencies, and of ours; files and packages.
MODULES = ("yaml", "random", "socket", "typing", "pickle", "logging", "json", "rich", "typer", "tensorflow", "numpy")
PACKAGES = ("pipeline", "components", "trainer", "data", "apache_beam", "multiprocessing", "tfx")
TRAP = "import os\nwith open(os.path.join({folder!r}, 'imported'), 'a') as file:\n    file.write({name!r} + '\\n')\n"
NAMES = ("models [prod] *", "-rf $HOME 'a\"b", "{{ 7 * 7 }} ümläut %s%d")


def set_traps(folder: Path) -> Path:
    """Fills the folder with modules and packages; returns the file that names those which were imported."""
    for name in MODULES:
        (folder / f"{name}.py").write_text(TRAP.format(folder=str(folder), name=name))
    for name in PACKAGES:
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(TRAP.format(folder=str(folder), name=name))
    (folder / "sitecustomize.py").write_text(TRAP.format(folder=str(folder), name="sitecustomize"))
    return folder / "imported"
