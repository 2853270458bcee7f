"""The key follows what runs and nothing else: on small trees that a test writes."""

import sys
from pathlib import Path

import pytest

from components.common import code_key as module
from components.common.code_key import ROOT, closure, code_key, is_code

TREE = {
    "components/__init__.py": '"""Components."""\n',
    "components/step/__init__.py": "",
    "components/step/executor.py": (
        "import json\n"
        "from typing import TYPE_CHECKING\n"
        "from components.step import logic\n"
        "from . import near\n"
        "if TYPE_CHECKING:\n"
        "    from components.step.hints import Hint\n"
        "def run():\n"
        '    """Runs."""\n'
        "    from components.step.late import late\n"
        '    return late(logic.SIZE, "script.py")\n'
    ),
    "components/step/logic.py": "SIZE = 3\n",
    "components/step/near.py": "",
    "components/step/late.py": "def late(size, script):\n    return size\n",
    "components/step/script.py": "print(1)\n",
    "components/step/hints.py": "class Hint: pass\n",
    "components/step/beside.py": "",
    "components/step/templates/page.html": "<p>\n",
    "components/other/__init__.py": "",
    "components/other/notes.txt": "nothing\n",
}
ROOTS = ("components.step.executor",)
RUNS = {f"components.step.{name}" for name in ("executor", "logic", "near", "late", "script")}


@pytest.fixture
def tree(make_tree) -> Path:
    return make_tree({path: text.encode() for path, text in TREE.items()}, "tree")


def test_a_closure_holds_what_runs(tree):
    found = closure(*ROOTS, place=tree)
    assert set(found.modules) == {"components", "components.step", *RUNS}
    assert found.files == ("components/step/templates/page.html",)
    assert found.libraries == ()


@pytest.mark.parametrize("path", TREE)
def test_an_edit_changes_the_key_of_what_runs_it_and_no_other(tree, path):
    before = code_key(*ROOTS, place=tree)
    (tree / path).write_text(TREE[path] + "\nedited = 1\n")
    name = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    runs = name in {*RUNS, "components", "components.step"} or path.endswith(".html")
    assert (code_key(*ROOTS, place=tree) != before) == runs


def test_a_new_module_needs_no_list(tree):
    (tree / "components/step/logic.py").write_text("from components.step.newer import SIZE\n")
    (tree / "components/step/newer.py").write_text("SIZE = 3\n")
    before = code_key(*ROOTS, place=tree)
    (tree / "components/step/newer.py").write_text("SIZE = 4\n")
    assert code_key(*ROOTS, place=tree) != before


def test_comments_docstrings_layout_and_hints_change_nothing(tree):
    before = code_key(*ROOTS, place=tree)
    path = tree / "components/step/executor.py"
    text = path.read_text().replace('"""Runs."""', '"""Runs on."""\n    # A comment.\n')
    text = text.replace("import Hint", "import Hint, Other").replace("late(logic.SIZE,", "late(\n        logic.SIZE,")
    path.write_text(f'"""Says what it is."""\n\n{text}\n"""What came before."""\n')
    assert code_key(*ROOTS, place=tree) == before


def test_another_place_an_editors_backup_and_bytecode_change_nothing(tree, tmp_path):
    before = code_key(*ROOTS, place=tree)
    for name in ("page.html~", ".page.html.swp", "__pycache__/page.pyc"):
        (tree / "components/step/templates" / name).parent.mkdir(exist_ok=True)
        (tree / "components/step/templates" / name).write_text("old")
    moved = tmp_path / "site-packages"
    tree.rename(moved)
    assert code_key(*ROOTS, place=moved) == before


def test_what_a_module_defines_stands_for_the_module(tree):
    assert code_key("components.step.executor.run", place=tree) == code_key(*ROOTS, place=tree)
    assert is_code("components.step.executor.run", place=tree) and not is_code("components.missing.run", place=tree)


@pytest.mark.parametrize("name", ["components.missing.run", "trainer.train", "no_such_library.executor"])
def test_a_name_without_code_is_an_error(tree, name):
    with pytest.raises(ValueError, match=name.replace(".", r"\.")):
        code_key(name, place=tree)


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Puts a library with its metadata where Python finds it: install("wheel_of", "1.0", "import numpy")."""

    def apply(version: str) -> None:
        site = tmp_path / "site"
        for file in site.glob("*.dist-info/METADATA"):
            file.parent.rename(tmp_path / file.parent.name)
        info = site / f"Some_Library-{version}.dist-info"
        info.mkdir(parents=True)
        (site / "somelib.py").touch()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: Some_Library\nVersion: {version}\n")
        (info / "RECORD").write_text(f"somelib.py,,\n{info.name}/METADATA,,\n")
        if str(site) not in sys.path:
            monkeypatch.syspath_prepend(str(site))
        forget()

    def forget() -> None:
        for function in (module._owners, module._distributions_of):
            function.cache_clear()

    yield apply
    forget()


def test_the_version_of_a_library_is_in_the_key(tree, install):
    path = tree / "components/step/late.py"
    path.write_text("def late(size, script):\n    import somelib.deep\n    import os\n")
    absent = closure(*ROOTS, place=tree)
    assert absent.libraries == ("somelib is not installed",)
    install("1.0")
    one = closure(*ROOTS, place=tree)
    assert one.libraries == ("some-library==1.0",)
    install("1.1")
    assert len({absent.key, one.key, code_key(*ROOTS, place=tree)}) == 3


def test_of_a_namespace_only_the_library_that_is_imported_counts():
    found = closure("components.curated_schema.executor").libraries
    assert [name for name in found if name.startswith(("proto", "google"))] == [
        name for name in found if name.startswith("protobuf==")
    ]


def test_tfxs_own_steps_stand_for_the_libraries_that_they_wrap():
    names = {entry.partition("==")[0] for entry in closure("tfx.components.statistics_gen.executor").libraries}
    assert {"tfx", "tensorflow-data-validation"} <= names


def test_the_rooms_are_where_this_module_is():
    assert all((ROOT / room / "__init__.py").is_file() for room in module.ROOMS)
