"""Which code is in which step's cache key: of the whole pipeline, and of a study's."""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from components.common.code_key import ROOMS, ROOT, Closure, closure, code_key
from pipeline.config.load import load_config
from pipeline.steps.code_keys import CODE_KEY, roots_of

pytestmark = pytest.mark.tfx

EVERYTHING = (
    *("export.formats=[onnx]", "serving.infra_validator=docker"),
    *("train.recipe=finetune", "model.weights=imagenet"),
)
STEPS = (
    *("ImageExampleGen", "CuratedSchema", "StatisticsGen", "ExampleValidator", "DataGate", "Transform"),
    *("BackboneFeatures", "Tuner"),
    *("Trainer", "ServedModel", "GatedEvaluator", "InfraValidator", "ServingCheck", "Pusher", "DataProfile"),
    *("ModelExporter", "RunReport", "Trainer-base-seed-42", "StudyReport"),
)
# The kinds of step, each of which is edited in every test run: with Beam, with Keras, with neither, and of a study.
EDITED = ("ImageExampleGen", "Trainer", "Pusher", "StudyReport")
# A module, and the steps of the pipeline whose code it is.
EXAMPLES = {
    "components.atomic_pusher.store": {"Pusher"},
    "components.common.ingest_report": {
        *("ImageExampleGen", "CuratedSchema", "DataGate", "Tuner", "DataProfile", "RunReport")
    },
    "components.common.metrics": {"GatedEvaluator", "Pusher", "RunReport"},
    "components.common.model_info": {*("Trainer", "DataGate", "GatedEvaluator", "ServingCheck", "Pusher", "RunReport")},
    "components.data_gate.executor": {"DataGate"},
    "components.gated_evaluator.calibration": {"GatedEvaluator"},  # named by the metrics' configuration alone
    "components.image_example_gen.driver": {"ImageExampleGen"},
    "components.serving_check.probe_script": {"ServingCheck"},  # run as a script
    "pipeline.dag": set(),
    "pipeline.execution.progress": set(),
    "trainer.compound.successive_halving": set(),
    "components.backbone_features.executor": {"BackboneFeatures"},
    "components.common.geometry": {"Transform", "BackboneFeatures", "Tuner", "Trainer", "ServingCheck", "RunReport"},
    "trainer.export": {"Trainer"},
    "trainer.grad_cam": {"RunReport"},
    "trainer.feature_set": {"BackboneFeatures", "Tuner", "Trainer"},
    "trainer.preprocessing": {"Transform", "BackboneFeatures", "Tuner", "Trainer"},
    "trainer.pretrained.timm": {"BackboneFeatures", "Tuner", "Trainer", "RunReport"},
    "trainer.settings": {"BackboneFeatures", "Tuner", "Trainer", "RunReport"},
    "trainer.tuning.figure": {"Tuner"},
}


@pytest.fixture(scope="module")
def steps() -> Mapping[str, object]:
    """Every kind of step, by its id."""
    from pipeline.dag import create_pipeline
    from pipeline.scale.design import study_experiment
    from pipeline.scale.experiment import Effort
    from pipeline.scale.tfx_pipeline import create_scale_pipeline, own_config

    config = load_config(overrides=EVERYTHING)
    found = {step.id: step for step in create_pipeline(config).components}
    plain = load_config(overrides=["model.image_size=32"])
    effort = Effort(epochs=1, seeds=1, data_fraction=1.0, minutes=None)
    study = create_scale_pipeline(
        own_config(plain, "study"), effort, study_experiment(plain, effort, levels=[2.0], classes=None)
    )
    return found | {step.id: step for step in study.components if step.id.startswith(("Trainer-base", "StudyReport"))}


@pytest.fixture(scope="module")
def roots(steps) -> Mapping[str, list[str]]:
    return {name: roots_of(step) for name, step in steps.items()}


@pytest.fixture(scope="module")
def closures(roots) -> Mapping[str, Closure]:
    return {name: closure(*found) for name, found in roots.items()}


@pytest.fixture
def copy(tmp_path) -> Path:
    """The project at another place."""
    for room in ROOMS:
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_every_step_has_the_key_of_its_code(steps, closures):
    assert {name: step.exec_properties[CODE_KEY] for name, step in steps.items()} == {
        name: found.key for name, found in closures.items()
    }
    assert set(steps) == set(STEPS)


@pytest.mark.parametrize("module", EXAMPLES)
def test_a_module_is_in_the_code_of_whoever_runs_it_and_nobody_elses(closures, module):
    pipeline = {name: found for name, found in closures.items() if not name.startswith(("Trainer-", "StudyReport"))}
    assert {name for name, found in pipeline.items() if module in found.modules} == EXAMPLES[module]


def test_a_study_holds_no_code_of_the_run_or_of_forecasts(closures):
    (training,) = [found for name, found in closures.items() if name.startswith("Trainer-base")]
    assert "trainer.compound.trainings" in training.modules and "trainer.compound.forecast" not in training.modules
    wiring = {name for name in closures["StudyReport"].modules if name.startswith("pipeline.")}
    assert wiring == {f"pipeline.scale{part}" for part in ("", ".experiment", ".figures", ".report", ".results")} | {
        "pipeline.hidden_packages"
    }
    assert closures["StudyReport"].files == ("pipeline/scale/templates/report.html.j2",)


def test_the_templates_are_in_the_code_of_the_report(closures):
    assert {Path(file).name for file in closures["RunReport"].files} == {"report.css", "report.html.j2"}


@pytest.mark.parametrize(
    "step", [*EDITED, *(pytest.param(step, marks=pytest.mark.slow) for step in STEPS if step not in EDITED)]
)
def test_each_edit_of_what_a_step_runs_changes_its_key_and_all_others_together_do_not(roots, closures, copy, step):
    def edit(path: Path) -> None:
        path.write_bytes(path.read_bytes() + b"\nedited = 1\n")

    found = closures[step]
    assert code_key(*roots[step], place=copy) == found.key  # a copy is not an edit
    inside = {copy / file for file in found.files}
    for module in found.modules:
        path = copy.joinpath(*module.split("."))
        inside.add(path / "__init__.py" if path.is_dir() else path.with_suffix(".py"))
    others = {path for room in ROOMS for path in (copy / room).rglob("*") if path.is_file()} - inside
    assert len(others) > 200
    for path in others:
        edit(path)
    assert code_key(*roots[step], place=copy) == found.key
    for path in inside:
        original = path.read_bytes()
        edit(path)
        assert code_key(*roots[step], place=copy) != found.key, path
        path.write_bytes(original)


def test_comments_and_docstrings_change_no_key(roots, closures, copy):
    for path in (path for room in ROOMS for path in (copy / room).rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        future = "from __future__" in text
        path.write_text(f"# A comment.\n{text}\n" + ("" if future else '"""Told again."""\n'), encoding="utf-8")
    assert {name: code_key(*found, place=copy) for name, found in roots.items()} == {
        name: found.key for name, found in closures.items()
    }


def test_an_edit_leads_into_a_new_module_without_a_list(roots, closures, copy):
    path = copy / "trainer" / "preprocessing.py"
    path.write_text(path.read_text(encoding="utf-8") + "\nfrom trainer import sharpening\n", encoding="utf-8")
    (copy / "trainer" / "sharpening.py").write_text("AMOUNT = 1\n")
    one = {name: code_key(*found, place=copy) for name, found in roots.items()}
    (copy / "trainer" / "sharpening.py").write_text("AMOUNT = 2\n")
    other = {name: code_key(*found, place=copy) for name, found in roots.items()}
    assert {name for name in roots if one[name] != other[name]} == {
        name for name, found in closures.items() if "trainer.preprocessing" in found.modules
    }


LOAD = """
import importlib, json, sys
rooms, roots = json.loads(sys.argv[1])
loaded = {}
for step, names in roots.items():
    for name in [name for name in sys.modules if name.partition(".")[0] in rooms]:
        del sys.modules[name]
    for name in names:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError:
            importlib.import_module(name.rpartition(".")[0])
    loaded[step] = [name for name in sys.modules if name.partition(".")[0] in rooms]
print("loaded:" + json.dumps(loaded))
"""


@pytest.mark.slow
def test_what_python_really_loads_for_a_step_is_in_its_code(roots, closures):
    done = subprocess.run(
        [sys.executable, "-c", LOAD, json.dumps([ROOMS, roots])], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    loaded = json.loads(done.stdout.rpartition("loaded:")[2])
    assert loaded.keys() == roots.keys()
    for step, modules in loaded.items():
        assert set(modules) <= set(closures[step].modules), step
        assert not closures[step].modules or modules, step
