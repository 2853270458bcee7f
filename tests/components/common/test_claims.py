"""Two processes that ask for one folder at once each get one of their own."""

import multiprocessing
import shutil
from pathlib import Path

from components.common.claims import LOCK_FILE, Claim

CONTEXT = multiprocessing.get_context("fork")


def take(folder: str, got: "multiprocessing.Queue[str]", leave: "multiprocessing.Event") -> None:
    claim = Claim(folder)
    got.put(claim.folder)
    leave.wait(60)


def test_a_folder_in_use_is_left_alone_and_is_free_when_its_process_has_ended(tmp_path):
    folder, got, leave = str(tmp_path / "key"), CONTEXT.Queue(), CONTEXT.Event()
    others = [CONTEXT.Process(target=take, args=(folder, got, leave)) for _ in range(3)]
    for other in others:
        other.start()
    assert sorted(got.get(timeout=60) for _ in others) == [folder, f"{folder}-2", f"{folder}-3"]
    assert Claim(folder).folder == f"{folder}-4"
    for other in others:
        other.kill()
        other.join()
    assert Claim(folder).folder == folder


def test_a_folder_is_deleted_while_another_process_asks_for_it(tmp_path):
    folder, got, leave = tmp_path / "key", CONTEXT.Queue(), CONTEXT.Event()
    for _ in range(20):
        claim = Claim(str(folder))
        other = CONTEXT.Process(target=take, args=(str(folder), got, leave))
        other.start()
        shutil.rmtree(folder, ignore_errors=True)  # the other may put its lock there meanwhile
        claim.release()
        taken = Path(got.get(timeout=60))
        assert (taken / LOCK_FILE).exists(), "its lock is one that others see"
        assert Claim(str(taken)).folder != str(taken)
        other.kill()
        other.join()
        for left in tmp_path.iterdir():
            shutil.rmtree(left)


def test_a_storage_without_locks_is_taken_as_it_is():
    assert Claim("s3://bucket/key").folder == "s3://bucket/key"
