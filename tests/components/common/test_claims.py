"""Two processes that ask for one folder at once each get one of their own."""

import multiprocessing
import shutil
import time
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from components.common.claims import LOCK_FILE, Claim

CONTEXT = multiprocessing.get_context("fork")


def take(folder: str, told: Connection) -> None:
    claim = Claim(folder)
    told.send(claim.folder)
    time.sleep(60)


def start(folder: Path) -> tuple[BaseProcess, Connection]:
    """A process that claims the folder; from the connection comes what it got."""
    heard, told = CONTEXT.Pipe(duplex=False)
    process = CONTEXT.Process(target=take, args=(str(folder), told))
    process.start()
    return process, heard


def end(process: BaseProcess) -> None:
    process.kill()
    process.join()


def test_a_folder_in_use_is_left_alone_and_is_free_when_its_process_has_ended(tmp_path):
    folder = tmp_path / "key"
    others = [start(folder) for _ in range(3)]
    assert sorted(heard.recv() for _, heard in others) == [str(folder), f"{folder}-2", f"{folder}-3"]
    assert Claim(str(folder)).folder == f"{folder}-4"
    for process, _ in others:
        end(process)
    assert Claim(str(folder)).folder == str(folder)


def test_a_folder_is_deleted_while_another_process_asks_for_it(tmp_path):
    folder = tmp_path / "key"
    for _ in range(10):
        claim = Claim(str(folder))
        process, heard = start(folder)
        shutil.rmtree(folder, ignore_errors=True)  # the other may put its lock there meanwhile
        claim.release()
        taken = Path(heard.recv())
        assert (taken / LOCK_FILE).exists(), "its lock is one that others see"
        assert Claim(str(taken)).folder != str(taken)
        end(process)
        for left in tmp_path.iterdir():
            shutil.rmtree(left)


def test_a_storage_without_locks_is_taken_as_it_is():
    assert Claim("s3://bucket/key").folder == "s3://bucket/key"
