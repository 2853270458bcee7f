"""Secrets in a configuration reach neither the screen nor a file that a run leaves behind."""

import logging

import pytest

from pipeline.config.load import load_config
from pipeline.config.secrets import hide_secrets, hide_secrets_in_logs, without_secrets
from pipeline.kubeflow.checks import check_config
from pipeline.kubeflow.errors import KubeflowError
from pipeline.schedule.systemd_cron import cron_entry, systemd_units
from pipeline.systemd import InstallError
from tests.faults.tiny_project import effnet, make_tiny_project

SECRET = "wJalrXUtnFEMI-bPxRfiCY"
OF_THE_CLUSTER = {"secrets": [{"name": "s3", "env": {"secretkey": "AWS_SECRET_ACCESS_KEY"}}]}
OPTION = f"runners.beam=['--s3_secret_access_key={SECRET}','--direct_num_workers=1']"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"api_token": "abc", "seed": 1}, {"api_token": "(hidden)", "seed": 1}),
        ({"class_recall": {"monkey": 0.9, "donkey": 0.8}}, {"class_recall": {"monkey": 0.9, "donkey": 0.8}}),
        (["--azure_key=x=y", "--key_rate=3"], ["--azure_key=(hidden)", "--key_rate=3"]),
        ("http://user:pass@proxy:3128", "http://user:(hidden)@proxy:3128"),
        (
            {"secrets": [{"name": "s3", "env": {"k": "AWS_SECRET"}}]},
            {"secrets": [{"name": "s3", "env": {"k": "AWS_SECRET"}}]},
        ),
    ],
)
def test_values_are_hidden_by_their_names(value, shown):
    assert without_secrets(value) == shown


def test_a_secret_is_hidden_wherever_a_library_repeats_it():
    load_config(overrides=[OPTION])
    assert SECRET not in hide_secrets(f"{{'s3_secret_access_key': '{SECRET}', 'x': 1}}")


def test_no_log_message_has_it(caplog):
    load_config(overrides=[OPTION])
    before = logging.getLogRecordFactory()
    try:
        hide_secrets_in_logs()
        with caplog.at_level(logging.INFO):
            logging.getLogger("apache_beam").info("options %s of %d", {"secret": SECRET}, 7)
        assert "(hidden)" in caplog.text and SECRET not in caplog.text and "of 7" in caplog.text
    finally:
        logging.setLogRecordFactory(before)


@pytest.mark.parametrize(
    "wrong",
    [
        f"runners.beam=--s3_secret_access_key={SECRET}",
        f"runners.beam=['s3_secret_access_key={SECRET}']",
        f"runners.beam=['--s3_secret_access_key={SECRET}', 7]",
        f"runners.beam=['--s3_secret_access_key={SECRET}', '--runner=Sprak']",
        f"runners.beam=['--s3_secret_access_key={SECRET}'",
        f"runners.kubeflow.env={{MY_TOKEN: [{SECRET}]}}",
    ],
)
def test_no_error_has_it(tmp_path, wrong):
    done = effnet(tmp_path, "config", "--quick-start", "--debug", "--set", wrong)
    assert done.returncode == 2
    assert SECRET not in done.stderr + done.stdout


def test_config_shows_it_only_when_asked(tmp_path):
    shown = [effnet(tmp_path, "config", "--quick-start", "--set", OPTION, *more).stdout for more in ([], ["--secrets"])]
    assert [SECRET in text for text in shown] == [False, True]


def test_no_entry_of_a_clock_has_it(tmp_path):
    config = load_config(overrides=["schedule.cron='0 2 * * *'"])
    for make in (cron_entry, systemd_units):
        with pytest.raises(InstallError, match="got a secret in"):
            make(config, tmp_path / "pipeline.yaml", (OPTION,), tmp_path)


@pytest.mark.parametrize("wrong", [OPTION, f"runners.kubeflow.env={{AWS_SECRET_ACCESS_KEY: {SECRET}}}"])
def test_no_compiled_pipeline_has_it(wrong):
    config = load_config(overrides=["data.path=s3://b/d", "push.path=s3://b/s", wrong])
    with pytest.raises(KubeflowError, match=r"name a secret of the cluster") as refused:
        check_config(config)
    assert SECRET not in str(refused.value)


@pytest.mark.tfx
@pytest.mark.slow
def test_nothing_that_a_run_leaves_behind_has_it(tmp_path):
    folder = make_tiny_project(tmp_path)
    done = effnet(folder, "run", "--verbose", "--set", OPTION)
    assert done.returncode == 0, done.stdout + done.stderr
    assert SECRET not in done.stdout + done.stderr
    left = [path for path in (folder / "build").rglob("*") if path.is_file()]
    assert folder / "build" / "tiny" / "run.log" in left
    assert [path for path in left if SECRET.encode() in path.read_bytes()] == []
