"""What runs came to, also where a power cut left their records empty."""

from datetime import datetime

import pytest
from ml_metadata.proto import metadata_store_pb2

from pipeline.config.load import DEFAULT_PATH, load_config
from pipeline.history.metadata import RunRecord, StepRecord
from pipeline.history.runs import compare, configuration_of, line_of, problems_of

RECORDS = {
    "GatedEvaluator": ("evaluation", "verdict.json"),
    "ImageExampleGen": ("report", "summary.json"),
    "ServingCheck": ("blessing", "serving_check.json"),
}


@pytest.fixture
def config(tmp_path):
    return load_config(DEFAULT_PATH, [f"runners.local.root={tmp_path}"])


@pytest.fixture
def run(tmp_path):
    """A run that pushed version 7, and whose records hold what is given."""

    def make(**content: str) -> RunRecord:
        steps = {}
        for step, (output, name) in RECORDS.items():
            uri = tmp_path / step
            uri.mkdir(exist_ok=True)
            if step in content:
                (uri / name).write_text(content[step])
            steps[step] = StepRecord(True, False, outputs={output: metadata_store_pb2.Artifact(uri=str(uri))})
        pushed = metadata_store_pb2.Artifact(uri=str(tmp_path))
        pushed.custom_properties["pushed"].int_value = 1
        pushed.custom_properties["pushed_version"].string_value = "7"
        steps["Pusher"] = StepRecord(True, False, outputs={"pushed_model": pushed})
        (tmp_path / "RunReport").mkdir(exist_ok=True)
        (tmp_path / "RunReport" / "report.html").touch()
        report = metadata_store_pb2.Artifact(uri=str(tmp_path / "RunReport"))
        steps["RunReport"] = StepRecord(True, False, outputs={"report": report})
        return RunRecord(1, "run", datetime(2024, 5, 31), 60.0, steps)

    return make


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "{}", "\0" * 9])
def test_a_damaged_record_is_named_and_the_run_is_listed(config, run, content):
    for step, (output, _) in RECORDS.items():
        line = line_of(config, run(**dict.fromkeys(RECORDS, content)))
        assert (line.result, line.version, line.accuracy, line.images) == ("pushed", "7", None, None)
        assert f"the {output} of {step} is damaged (" in line.why
    assert problems_of(run(), None) == []


@pytest.mark.parametrize("content", ["", "a: [", "3", "\0"])
def test_a_damaged_configuration_is_none(config, run, tmp_path, content):
    one = run()
    (tmp_path / "RunReport" / "pipeline.yaml").write_text(content)
    assert configuration_of(config, one) == {}
    assert compare(config, one, one) == []
