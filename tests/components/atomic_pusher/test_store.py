"""What is served is always whole: pushed, pruned, rolled back, killed, out of space."""

import multiprocessing
import os
import resource
import signal
import time
from pathlib import Path

import pytest

from components.atomic_pusher import store
from components.atomic_pusher.disk import LOCK_FILE
from components.common.errors import Overtaken, PushError, Withdrawn
from components.served_model.record import PushRecord
from components.served_model.versions import find_baseline, fingerprint, pushed_models
from tests.mounts import mounted, set_read_only

FILES = 20


@pytest.fixture
def save(tmp_path):
    """Write a SavedModel of many files, all with the same content, and an id: save("b")."""

    def apply(identity: str, size: int = 10) -> str:
        folder = tmp_path / "models" / identity
        for name in ("fingerprint.pb", "saved_model.pb", *(f"variables/{number}" for number in range(FILES))):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(identity.encode() * size)
        return str(folder)

    return apply


@pytest.fixture
def push_path(tmp_path) -> str:
    return str(tmp_path / "push")


def push(saved_model: str, push_path: str, accuracy: float = 0.9, keep: int = 5) -> store.Pushed:
    return store.push(saved_model, push_path, PushRecord(accuracy=accuracy, model_uri=saved_model), keep)


def served_content(push_path: str) -> str:
    """The id of the served model, after a look at every file of it."""
    served = Path(push_path) / pushed_models(push_path)[0].version
    names = {path.relative_to(served).as_posix() for path in served.rglob("*") if path.is_file()}
    assert len(names) == FILES + 3, "two files of the model, its variables, and the note"
    (content,) = {(served / name).read_bytes() for name in names if not name.startswith("assets.extra")}
    return content.decode()[0]


def test_a_pushed_model_is_served_with_its_lineage(save, push_path):
    pushed = push(save("a"), push_path, accuracy=0.875)
    assert pushed_models(push_path) == [pushed]
    assert pushed.record.accuracy == 0.875
    assert pushed.record.model_uri == save("a")
    assert pushed.record.pushed_at.endswith("+00:00")
    assert served_content(push_path) == "a"


def test_versions_grow_even_within_one_second_and_a_served_model_is_not_pushed_twice(save, push_path):
    first, second = push(save("a"), push_path), push(save("b"), push_path)
    assert int(second.version) > int(first.version)
    assert push(save("b"), push_path) == second
    assert len(pushed_models(push_path)) == 2


@pytest.mark.parametrize("keep", [1, 2, 3])
def test_the_newest_versions_are_kept(save, push_path, keep):
    pushed = [push(save(name), push_path, keep=keep) for name in "abcd"]
    assert [model.version for model in pushed_models(push_path)] == [
        model.version for model in pushed[: -keep - 1 : -1]
    ]
    assert served_content(push_path) == "d"


def test_a_rollback_serves_the_older_model_and_makes_it_the_baseline(save, push_path):
    old, new = push(save("a"), push_path, accuracy=0.8), push(save("b"), push_path)
    back = store.rollback(push_path, None, keep=5)
    assert int(back.version) > int(new.version), "TensorFlow Serving takes the largest number"
    assert (back.record.rollback_of, back.record.accuracy) == (old.version, 0.8)
    assert served_content(push_path) == "a"
    assert find_baseline(push_path, save("c")).version == back.version
    assert find_baseline(push_path, save("b")).version == back.version
    assert find_baseline(push_path, save("a")).version == "", "what was withdrawn is no measure"


def test_what_was_rolled_back_from_does_not_come_back_by_itself(save, push_path):
    push(save("a"), push_path)
    bad = push(save("b"), push_path)
    store.rollback(push_path, None, keep=5)
    with pytest.raises(Withdrawn, match="rolled back"):
        push(save("b"), push_path)
    push(save("c"), push_path)
    with pytest.raises(Withdrawn):
        push(save("b"), push_path)
    assert served_content(push_path) == "c"
    store.rollback(push_path, bad.version, keep=5)
    assert served_content(push_path) == "b", "asked for, it is served"


def test_a_second_rollback_goes_further_back(save, push_path):
    for name in "abc":
        push(save(name), push_path)
    store.rollback(push_path, None, keep=9)
    assert served_content(push_path) == "b"
    store.rollback(push_path, None, keep=9)
    assert served_content(push_path) == "a"
    with pytest.raises(PushError, match="no model from before"):
        store.rollback(push_path, None, keep=9)


@pytest.mark.parametrize(("version", "message"), [(None, "no model is served"), ("7", "no model is served")])
def test_without_a_model_there_is_nothing_to_go_back_to(push_path, version, message):
    with pytest.raises(PushError, match=message):
        store.rollback(push_path, version, keep=5)


def test_a_version_that_is_not_there_or_served_already_is_refused(save, push_path):
    served = push(save("a"), push_path)
    with pytest.raises(PushError, match=f"expected one of: {served.version}"):
        store.rollback(push_path, "7", keep=5)
    with pytest.raises(PushError, match="served already"):
        store.rollback(push_path, served.version, keep=5)


def test_versions_of_another_program_are_listed_and_can_be_rolled_back_to(save, push_path):
    Path(push_path).mkdir()
    Path(save("a")).rename(Path(push_path) / "17")
    assert pushed_models(push_path)[0].record == PushRecord()
    push(save("b"), push_path)
    assert store.rollback(push_path, "17", keep=5).fingerprint == fingerprint(f"{push_path}/17")


def test_a_full_disk_and_a_read_only_place_are_one_clear_line(save, push_path, tmp_path):
    push(save("a"), push_path)
    big = save("b", size=100_000)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))  # the kernel refuses to write more to a file
    try:
        with pytest.raises(PushError, match=r"cannot write to .*: File too large; what was served stays"):
            push(big, push_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert sorted(path.name for path in Path(push_path).iterdir()) == [
        LOCK_FILE,
        pushed_models(push_path)[0].version,
    ]
    with pytest.raises(PushError, match="cannot write to /proc/served"):
        push(save("a"), "/proc/served")
    assert served_content(push_path) == "a"
    push(big, push_path)


def test_a_full_disk_and_a_read_only_one_leave_what_is_served_and_the_next_push_goes_through(save, tmp_path):
    big = save("b", size=100_000)  # 22 files of 100 kB
    with mounted(tmp_path / "disk", "size=3m") as disk:
        push_path = str(disk / "served")
        push(save("a", size=50_000), push_path)
        with pytest.raises(PushError, match=r"cannot write to .*: No space left on device; what was served stays"):
            push(big, push_path)
        assert served_content(push_path) == "a"
        assert len(list(Path(push_path).iterdir())) == 2, "the version and the lock: the disk got its space back"

        set_read_only(disk, True)
        for attempt in (lambda: push(save("c"), push_path), lambda: store.rollback(push_path, None, keep=5)):
            with pytest.raises(PushError, match=r"cannot write to .*: Read-only file system; what was served stays"):
                attempt()
        assert served_content(push_path) == "a"

        set_read_only(disk, False)
        push(save("c"), push_path)
        assert served_content(push_path) == "c"


def push_for_ever(models: list[str], push_path: str) -> None:
    while True:
        for model in models:
            push(model, push_path, keep=2)


def test_kill_9_at_any_moment_leaves_a_whole_model_and_the_next_push_goes_through(save, push_path):
    models = [save(name, size=20_000) for name in "abc"]
    push(models[0], push_path)
    for moment in range(10):
        process = multiprocessing.get_context("fork").Process(target=push_for_ever, args=(models, push_path))
        process.start()
        time.sleep(0.02 + 0.023 * moment)
        assert process.pid
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        served_content(push_path)
    last = push(save("d"), push_path, keep=2)
    assert pushed_models(push_path)[0] == last
    assert len(list(Path(push_path).iterdir())) == 3, "nothing is left over: two versions and the lock"


def test_pushes_wait_for_one_another(save, push_path):
    models = [save(name) for name in "abcd"]
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=push, args=(model, push_path)) for model in models]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    assert len(pushed_models(push_path)) == len(models)


def test_a_clock_that_was_set_back_does_not_make_an_older_model_the_served_one(save, push_path, monkeypatch):
    first = push(save("a"), push_path)
    monkeypatch.setattr(time, "time", lambda: 1_000_000_000.0)
    assert int(push(save("b"), push_path).version) > int(first.version)
    assert int(store.rollback(push_path, None, keep=5).version) > int(first.version)
    assert served_content(push_path) == "a"


def test_above_the_largest_version_nothing_is_pushed(save, push_path):
    push(save("a"), push_path)
    (Path(push_path) / str(2**63 - 1)).mkdir()
    with pytest.raises(PushError, match="there can be no larger one"):
        push(save("b"), push_path)
    assert served_content(push_path) == "a"


def test_a_version_whose_record_is_damaged_can_be_replaced_and_rolled_back_from(save, push_path):
    old, damaged = push(save("a"), push_path), push(save("b"), push_path)
    (Path(push_path) / damaged.version / "assets.extra" / "push.json").write_text("")
    with pytest.raises(Withdrawn):
        push(save("a"), push_path)
    assert store.rollback(push_path, old.version, keep=5).record.rollback_of == old.version
    assert served_content(push_path) == "a"
    push(save("c"), push_path)
    assert served_content(push_path) == "c"


def test_a_damaged_model_is_not_served_again(save, push_path):
    damaged, _ = push(save("a"), push_path), push(save("b"), push_path)
    (Path(push_path) / damaged.version / "saved_model.pb").write_text("")
    with pytest.raises(PushError, match=r"cannot be served: the model is damaged: saved_model.pb empty"):
        store.rollback(push_path, damaged.version, keep=5)
    with pytest.raises(PushError, match="no model from before"):
        store.rollback(push_path, None, keep=5)


def test_what_the_check_adds_is_pushed_with_the_model(save, push_path, tmp_path):
    (tmp_path / "added" / "assets.extra").mkdir(parents=True)
    (tmp_path / "added" / "assets.extra" / "model.onnx").write_bytes(b"onnx")
    pushed = store.push(save("a"), push_path, PushRecord(), 5, added=str(tmp_path / "added"))
    assert (Path(push_path) / pushed.version / "assets.extra" / "model.onnx").read_bytes() == b"onnx"
    back = store.push(save("b"), push_path, PushRecord(), 5, added=str(tmp_path / "none"))
    assert not (Path(push_path) / back.version / "assets.extra" / "model.onnx").exists()
    returned = store.rollback(push_path, None, 5)
    assert (Path(push_path) / returned.version / "assets.extra" / "model.onnx").read_bytes() == b"onnx"


def test_a_served_model_whose_record_is_lost_gets_one_when_it_is_pushed_again(save, push_path):
    first, second = push(save("a"), push_path), push(save("b"), push_path)
    (Path(push_path) / second.version / "assets.extra" / "push.json").write_text("")
    again = push(save("b"), push_path, accuracy=0.9)
    assert pushed_models(push_path)[0] == again
    assert (again.version, again.record.accuracy, again.problem) == (second.version, 0.9, "")
    assert again.record.withdrawn == (first.fingerprint,), "nobody knows whether it was rolled back from"


def test_a_push_is_refused_if_another_model_is_served_than_the_gate_compared_with(save, push_path):
    first = push(save("a"), push_path)
    push(save("b"), push_path)
    with pytest.raises(Overtaken, match=r"version \d+ is served from .*nothing was pushed. Run again"):
        store.push(save("c"), push_path, PushRecord(), 5, judged_against=first.fingerprint)
    with pytest.raises(Overtaken):
        store.push(save("c"), push_path, PushRecord(), 5, judged_against="")
    assert served_content(push_path) == "b"
    store.push(save("c"), push_path, PushRecord(), 5, judged_against=fingerprint(save("b")))
    assert served_content(push_path) == "c"


def test_a_rollback_between_gate_and_push_is_noticed_and_going_forth_again_is_no_change(save, push_path):
    first, second = push(save("a"), push_path), push(save("b"), push_path)
    store.rollback(push_path, None, keep=9)
    with pytest.raises(Overtaken):
        store.push(save("c"), push_path, PushRecord(), 9, judged_against=second.fingerprint)
    store.rollback(push_path, second.version, keep=9)
    assert store.push(save("c"), push_path, PushRecord(), 9, judged_against=second.fingerprint)
    assert first in pushed_models(push_path)


def test_a_baseline_that_was_deleted_is_no_baseline(save, push_path):
    first = push(save("a"), push_path)
    (Path(push_path) / first.version).rename(Path(push_path) / "kept")
    with pytest.raises(Overtaken, match="nothing else is served any more"):
        store.push(save("b"), push_path, PushRecord(), 5, judged_against=first.fingerprint)


def test_what_is_served_already_needs_no_comparison(save, push_path):
    served = push(save("a"), push_path)
    assert store.push(save("a"), push_path, PushRecord(), 5, judged_against="of something else") == served


def push_first(model: str, push_path: str) -> None:
    try:
        store.push(model, push_path, PushRecord(), 5, judged_against="")
    except Overtaken:
        os._exit(3)


def test_of_several_first_pushes_at_once_one_wins(save, push_path):
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=push_first, args=(save(name), push_path)) for name in "abcd"]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert sorted(process.exitcode or 0 for process in processes) == [0, 3, 3, 3]
    assert len(pushed_models(push_path)) == 1
    served_content(push_path)
