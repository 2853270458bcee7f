"""On an object store a push is whole or not at all: killed, two at once, rolled back. The judge is moto's S3."""

import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import boto3
import botocore.client
import pytest

from components.atomic_pusher import store
from components.atomic_pusher.object_store import ObjectStore
from components.common import compare_and_swap, files
from components.common.compare_and_swap import Conflict, Snapshot
from components.common.errors import Overtaken, PushError, Withdrawn
from components.served_model.record import PushRecord
from components.served_model.versions import find_baseline, pushed_models, served_path
from tests.faults.project import moments
from tests.s3 import s3_server

pytestmark = pytest.mark.tfx

PARTS = ("saved_model.pb", "fingerprint.pb", "variables/variables.index", "variables/variables.data")


@pytest.fixture(scope="module", autouse=True)
def server() -> Iterator[str]:
    with s3_server() as address:
        yield address


@pytest.fixture
def push_path() -> str:
    return f"s3://models/{uuid.uuid4().hex} [prod]"


@pytest.fixture
def save(tmp_path):
    """Write a SavedModel whose files all hold the same text: save("b")."""

    def apply(identity: str) -> str:
        for part in PARTS:
            (tmp_path / identity / part).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / identity / part).write_text(identity)
        return str(tmp_path / identity)

    return apply


def push(model: str, push_path: str, keep: int = 5, **options: str) -> store.Pushed:
    return store.push(model, push_path, PushRecord(accuracy=0.9), keep, **options)


def served_content(push_path: str) -> str:
    """What the served model's files hold, after a look at all of them."""
    folder = served_path(push_path)
    names = [name for name in files.walk(folder) if not name.startswith("assets.extra")]
    assert sorted(names) == sorted(PARTS)
    (content,) = {files.read_bytes(files.join(folder, name)) for name in names}
    return content.decode()


def folders(push_path: str) -> set[str]:
    return {name.partition("/")[0] for name in files.walk(push_path)}


def test_models_are_pushed_pruned_and_rolled_back_as_on_a_disk(save, push_path):
    first, second, third = (push(save(name), push_path, keep=3) for name in "abc")
    assert pushed_models(push_path) == [third, second, first]
    assert push(save("c"), push_path) == third
    back = store.rollback(push_path, None, keep=3)
    assert (back.record.rollback_of, served_content(push_path)) == (second.version, "b")
    assert find_baseline(push_path, save("d")).version == back.version
    with pytest.raises(Withdrawn):
        push(save("c"), push_path)
    with pytest.raises(PushError, match="expected one of"):
        store.rollback(push_path, first.version, keep=3)
    assert folders(push_path) == {back.version, third.version, second.version, ".pushed.json"}


def test_the_model_that_is_served_now_is_what_counts(save, push_path):
    first = push(save("a"), push_path, judged_against="")
    push(save("b"), push_path, judged_against=first.fingerprint)
    with pytest.raises(Overtaken, match="Run again"):
        push(save("c"), push_path, judged_against=first.fingerprint)
    assert served_content(push_path) == "b"


@pytest.mark.parametrize("round_", range(2))
def test_of_several_at_once_one_wins_and_nothing_mixes(save, push_path, round_):
    models = [save(name) for name in "abcd"]
    start = threading.Barrier(len(models))

    def attempt(model: str) -> store.Pushed | None:
        start.wait()
        try:
            return push(model, push_path, judged_against="")
        except Overtaken:
            return None

    with ThreadPoolExecutor(len(models)) as pool:
        results = list(pool.map(attempt, models))
    (won,) = [result for result in results if result]
    assert pushed_models(push_path) == [won]
    assert served_content(push_path) == "abcd"[results.index(won)]
    push(save("e"), push_path, judged_against=won.fingerprint)
    assert served_content(push_path) == "e"
    assert not [name for name in folders(push_path) if name.startswith(".incoming")]


def test_a_push_that_another_one_passes_while_it_uploads_loses(save, push_path, monkeypatch):
    first = push(save("a"), push_path)
    copy, passed = files.copy, []

    def slow_copy(source: str, destination: str) -> None:
        if not passed and source.startswith(save("b")):
            passed.append(push(save("c"), push_path, judged_against=first.fingerprint))
        copy(source, destination)

    monkeypatch.setattr(files, "copy", slow_copy)
    with pytest.raises(Overtaken, match="came between"):
        push(save("b"), push_path, judged_against=first.fingerprint)
    assert served_content(push_path) == "c"
    assert len(folders(push_path)) == 3, "two versions and the pointer: what the loser brought is gone"


def test_a_push_that_begins_while_another_one_clears_up_keeps_its_files(save, push_path, monkeypatch):
    clear_leftovers, began = ObjectStore._clear_leftovers, []

    def another_begins(self, newest: int) -> None:
        if not began:
            began.append(True)
            copy = files.copy

            def upload_then_clear(source: str, destination: str) -> None:
                copy(source, destination)
                if source.endswith("saved_model.pb"):
                    clear_leftovers(self, newest)

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(files, "copy", upload_then_clear)
                push(save("b"), push_path)
        else:
            clear_leftovers(self, newest)

    monkeypatch.setattr(ObjectStore, "_clear_leftovers", another_begins)
    push(save("a"), push_path)
    assert served_content(push_path) == "b"


class KilledError(BaseException):
    """No code that catches errors goes on after it."""


@pytest.fixture
def killed_at(monkeypatch):
    """killed_at(n): of the requests to S3 none reaches it any more from the n-th on; counts them."""
    send, counter = botocore.client.BaseClient._make_api_call, {"made": 0, "at": 0}

    def counted(self, name, arguments):
        counter["made"] += 1
        if counter["at"] and counter["made"] >= counter["at"]:
            raise KilledError
        return send(self, name, arguments)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", counted)

    def apply(at: int) -> dict[str, int]:
        counter.update(made=0, at=at)
        return counter

    return apply


@pytest.mark.parametrize("number", [3, pytest.param(15, marks=pytest.mark.slow)])
@pytest.mark.parametrize("command", ["push", "rollback"])
def test_a_kill_at_any_request_leaves_a_whole_model_and_the_next_push_goes_through(
    save, push_path, killed_at, command, number
):
    def attempt(path: str) -> None:
        push(save("c"), path, keep=2) if command == "push" else store.rollback(path, None, keep=2)

    counter = killed_at(0)
    for name in "ab":
        push(save(name), f"{push_path}/0", keep=2)
    killed_at(0)
    attempt(f"{push_path}/0")
    requests = counter["made"]
    assert requests > 20
    for at in moments(requests, number):
        place = f"{push_path}/{at}"
        killed_at(0)
        for name in "ab":
            push(save(name), place, keep=2)
        killed_at(at)
        with pytest.raises(KilledError):
            attempt(place)
        killed_at(0)
        before = served_content(place)
        assert before in ("b", "c" if command == "push" else "a")
        last = push(save("d"), place, keep=2)
        assert served_content(place) == "d"
        assert pushed_models(place)[0] == last
        assert len(folders(place)) <= 3 and not [name for name in folders(place) if name.startswith(".incoming")]


def test_a_push_that_counts_is_ended_by_the_next_one_which_is_then_judged_against_it(save, push_path, monkeypatch):
    first = push(save("a"), push_path)
    copy_within = files.copy_within
    monkeypatch.setattr(files, "copy_within", lambda pairs: (_ for _ in ()).throw(KilledError))
    with pytest.raises(KilledError):
        push(save("b"), push_path)
    monkeypatch.setattr(files, "copy_within", copy_within)
    assert served_content(push_path) == "a"
    with pytest.raises(Overtaken):
        push(save("c"), push_path, judged_against=first.fingerprint)
    assert served_content(push_path) == "b"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"version": "x", "push": "1"}', b'{"version": "1"}', b"\xff"])
def test_a_pointer_that_cannot_be_read_is_named(save, push_path, content):
    push(save("a"), push_path)
    files.write_bytes(files.join(push_path, ".pushed.json"), content)
    with pytest.raises(PushError, match=r"pushed\.json cannot be read .*delete that object"):
        push(save("b"), push_path)
    assert served_content(push_path) == "a"


def test_versions_of_another_program_are_seen_and_its_push_in_between_too(save, push_path, monkeypatch):
    files.bring(save("a"), files.join(push_path, "17"))
    assert served_content(push_path) == "a"
    write_text = files.write_text

    def write_with_another(path: str, text: str) -> None:
        write_text(path, text)
        files.bring(save("c"), files.join(push_path, "18"))

    monkeypatch.setattr(files, "write_text", write_with_another)
    with pytest.raises(Overtaken):
        push(save("b"), push_path)
    assert served_content(push_path) == "c"


def test_a_bucket_that_is_not_there_is_one_clear_line(save):
    with pytest.raises(PushError, match=r"cannot write to s3://nowhere/served: .*NoSuchBucket"):
        push(save("a"), "s3://nowhere/served")


def put(path: str, content: bytes, seen: Snapshot) -> bool:
    try:
        compare_and_swap.replace(path, content, seen, f"{path}.{uuid.uuid4().hex}")
    except Conflict:
        return False
    return True


@pytest.mark.parametrize("heeds", [True, False], ids=["store that compares", "store that passes over conditions"])
def test_of_several_who_replace_one_object_one_wins(push_path, heeds, monkeypatch):
    if not heeds:
        from moto.s3.responses import S3Response

        put_object = S3Response.put_object

        def careless(self):
            self.headers = {
                name: value for name, value in self.headers.items() if name not in ("If-Match", "If-None-Match")
            }
            return put_object(self)

        monkeypatch.setattr(S3Response, "put_object", careless)
        monkeypatch.setattr(compare_and_swap, "SETTLE_SECONDS", 0.5)
    path = files.join(push_path, "pointer")
    for round_ in range(2):
        seen = compare_and_swap.read(path)
        with ThreadPoolExecutor(6) as pool:
            won = list(
                pool.map(
                    lambda number, round_=round_, seen=seen: put(path, f"{round_} {number}".encode(), seen), range(6)
                )
            )
        assert won.count(True) == 1
        assert compare_and_swap.read(path).content == f"{round_} {won.index(True)}".encode()


def test_a_request_whose_answer_was_lost_meets_its_own_content(push_path):
    path = files.join(push_path, "pointer")
    seen = compare_and_swap.read(path)
    compare_and_swap.replace(path, b"mine", seen, f"{path}.probe")
    compare_and_swap.replace(path, b"mine", seen, f"{path}.probe")
    with pytest.raises(Conflict):
        compare_and_swap.replace(path, b"another", seen, f"{path}.probe")


def test_an_object_that_was_deleted_meanwhile_is_a_conflict(push_path):
    path = files.join(push_path, "pointer")
    compare_and_swap.replace(path, b"one", Snapshot(), f"{path}.probe")
    seen = compare_and_swap.read(path)
    boto3.client("s3").delete_object(Bucket="models", Key=path.removeprefix("s3://models/"))
    with pytest.raises(Conflict):
        compare_and_swap.replace(path, b"two", seen, f"{path}.probe")
