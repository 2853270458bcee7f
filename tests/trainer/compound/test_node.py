"""One training of a study as TFX's Trainer runs it: an outcome where the report looks for it, also of a bad end."""

import pytest

from tests.trainer.digits import make_job
from trainer.compound import node
from trainer.compound.outcome import TrainingResult, outcome_at
from trainer.fit.callbacks import TrainingDiverged

OUTCOME = TrainingResult(0.9, 0.3, 1_000, 2_000, None, 5.0, 100, 50, 0.2, 1.6, "a processor")


@pytest.mark.parametrize("diverges", [False, True])
def test_the_outcome_lies_in_the_model_run(tmp_path, monkeypatch, diverges):
    asked = []

    def outcome_of(job, folder):
        asked.append((job, folder))
        if diverges:
            raise TrainingDiverged("the loss is nan")
        return OUTCOME

    monkeypatch.setattr(node, "outcome_of", outcome_of)
    job = make_job(tmp_path / "data")
    job.config["checkpoint_root"] = str(tmp_path / "state" / "trainings")
    node.train(job)
    assert asked == [(job, str(tmp_path / "state" / "trainings"))]
    assert outcome_at(job.log_dir) == (None if diverges else OUTCOME)
