"""Versions that come and go while requests run: swaps, rollbacks, damage, odd names."""

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from components.atomic_pusher.store import rollback
from components.served_model.record import RECORD_FILE
from components.served_model.versions import served_path
from components.serving_engine.proof import ONNX_FILE
from pipeline.serving.server.errors import ServingError
from pipeline.serving.server.settings import ServedFolder
from tests.onnx_model import image, write_version
from tests.pipeline.serving.conftest import b64, predict, running, settings_for, states, wait_for


def test_no_request_fails_during_five_swaps(tmp_path):
    names = [tuple(f"{colour}{number}" for colour in ("red", "green", "blue")) for number in range(6)]
    write_version(tmp_path, 1, names[0])
    with running(settings_for(tmp_path)) as server, ThreadPoolExecutor(8) as clients:
        seen: list[tuple[int, str]] = []

        def ask(_: int) -> None:
            seen.append(predict(server))

        jobs = [clients.submit(ask, number) for number in range(1000)]
        for number in range(1, 6):
            wait_for(lambda number=number: len(seen) >= 150 * number)
            write_version(tmp_path, number + 1, names[number])
            wait_for(lambda number=number: states(server).get(str(number + 1)) == "AVAILABLE", 5)
        for job in jobs:
            job.result()
        assert {status for status, _ in seen} == {200}
        assert {name for _, name in seen} >= {names[0][0], names[5][0]}
        assert predict(server) == (200, "red5")
        wait_for(lambda: states(server) == {"6": "AVAILABLE", **{str(number): "END" for number in range(1, 6)}})


def test_a_version_that_does_not_load_leaves_the_old_one_and_says_why(tmp_path):
    write_version(tmp_path, 1)
    with running(settings_for(tmp_path, engine="onnxruntime")) as server:
        bad = write_version(tmp_path / "elsewhere", 2)
        (bad / ONNX_FILE).write_bytes(b"no network")
        bad.rename(tmp_path / "2")
        wait_for(lambda: states(server).get("2") == "END")
        assert predict(server) == (200, "red")
        failed = server.send("/v1/models/colours/versions/2")[1]["model_version_status"][0]
        assert failed["status"]["error_code"] == "UNKNOWN"
        assert "not the file that was proven" in failed["status"]["error_message"]
        write_version(tmp_path, 3, ("neu", "b", "c"))
        wait_for(lambda: predict(server) == (200, "neu"))


def test_a_rollback_is_served_and_what_was_rolled_back_from_never_stands_in(tmp_path):
    for number, name in ((1, "old"), (2, "middle"), (3, "bad")):
        write_version(tmp_path, number, (name, "b", "c"))
    with running(settings_for(tmp_path)) as server:
        assert predict(server) == (200, "bad")
        back = rollback(str(tmp_path), "1", keep=9)
        wait_for(lambda: predict(server) == (200, "old"))
    # What the rollback pushed is damaged: neither the model that was rolled back from answers, nor nothing at all.
    (tmp_path / back.version / ONNX_FILE).write_bytes(b"")
    with running(settings_for(tmp_path, engine="onnxruntime")) as server:
        assert predict(server) == (200, "middle")
        assert states(server)[back.version] == "END"


@pytest.mark.parametrize("content", ["", "{", '{"withdrawn": 5}'])
def test_a_version_with_a_damaged_record_is_served_and_without_it_no_older_one_stands_in(tmp_path, content):
    write_version(tmp_path, 1, ("old", "b", "c"))
    with running(settings_for(tmp_path, engine="onnxruntime")) as server:
        for number, damaged in ((2, False), (3, True)):
            pushed = write_version(tmp_path / "elsewhere", number, (f"new{number}", "b", "c"))
            (pushed / RECORD_FILE).write_text(content)
            if damaged:
                (pushed / ONNX_FILE).write_bytes(b"")
            pushed.rename(tmp_path / str(number))
            wait_for(lambda number=number: states(server).get(str(number)) in ("AVAILABLE", "END"))
            assert predict(server) == (200, "new2")  # the old one stays while there is nothing better
    # After a restart nobody knows whether version 2 was rolled back from.
    with (
        pytest.raises(ServingError, match="no version of colours can be served"),
        running(settings_for(tmp_path, engine="onnxruntime")),
    ):
        pass


@pytest.mark.parametrize("file", ["saved_model.pb", "variables/variables.index"])
def test_a_damaged_model_is_no_more_served_than_predict_takes_it(tmp_path, file):
    write_version(tmp_path, 1)
    damaged = write_version(tmp_path, 2, ("wrong", "b", "c")) / file
    damaged.parent.mkdir(exist_ok=True)
    damaged.write_bytes(b"")
    assert served_path(str(tmp_path)) == str(tmp_path / "1")
    with running(settings_for(tmp_path)) as server:
        assert predict(server) == (200, "red")
        failed = server.send("/v1/models/colours/versions/2")[1]["model_version_status"][0]
        assert f"{file} empty" in failed["status"]["error_message"]


def test_a_version_s_folder_may_have_zeros_before_its_number(tmp_path):
    write_version(tmp_path, "007", ("seven", "b", "c"))
    with running(settings_for(tmp_path)) as server:
        assert predict(server) == (200, "seven")
        assert states(server) == {"7": "AVAILABLE"}
        write_version(tmp_path, "00000000000000000010", ("ten", "b", "c"))
        wait_for(lambda: predict(server) == (200, "ten"))
        assert server.send("/ui/explain/colours/versions/10?class=1", b"no image", method="POST")[0] == 400
    write_version(tmp_path, "10", ("plain", "b", "c"))
    with running(settings_for(tmp_path)) as server:  # of two spellings the plain one, whatever the folder lists first
        assert predict(server) == (200, "plain")


def test_a_version_that_is_put_right_is_tried_again_at_once(tmp_path):
    write_version(tmp_path, 1)
    with running(settings_for(tmp_path, engine="onnxruntime")) as server:
        bad = write_version(tmp_path, 2, ("bad", "b", "c"), problem="not proven")
        wait_for(lambda: states(server).get("2") == "END")
        shutil.rmtree(bad)
        time.sleep(0.3)
        write_version(tmp_path, 2, ("good", "b", "c"))
        wait_for(lambda: predict(server) == (200, "good"))


def test_a_folder_that_is_gone_for_a_while_leaves_what_is_served(tmp_path):
    write_version(tmp_path / "served", 1)
    with running(settings_for(tmp_path / "served")) as server:
        (tmp_path / "served").rename(tmp_path / "away")
        time.sleep(0.3)
        assert predict(server) == (200, "red")


def test_several_models(tmp_path):
    write_version(tmp_path / "one", 1)
    write_version(tmp_path / "two", 7, ("r", "g", "b"))
    folders = tuple(ServedFolder(name, str(tmp_path / name)) for name in ("one", "two"))
    with running(settings_for(Path(), models=folders)) as server:
        for name, wanted in (("one", "red"), ("two", "r")):
            answer = server.send(f"/v1/models/{name}:predict", {"instances": [b64(image())]})[1]
            assert answer["predictions"][0]["class_name"] == wanted
