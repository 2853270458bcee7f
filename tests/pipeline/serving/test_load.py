"""Under load: batches, full queues, broken images among whole ones, slow engines, versions that come and go."""

import asyncio
import shutil
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from components.atomic_pusher.store import rollback
from components.image_example_gen.images.damage import ImageError
from components.served_model.record import RECORD_FILE
from components.served_model.versions import served_path
from components.serving_engine.proof import ONNX_FILE
from pipeline.serving.server.batching import Batcher
from pipeline.serving.server.errors import ServingError
from pipeline.serving.server.protos import prediction_service_pb2_grpc
from pipeline.serving.server.settings import Limits, ServedFolder
from tests.onnx_model import image, write_version
from tests.pipeline.serving.conftest import Running, b64, running, settings_for
from tests.pipeline.serving.test_grpc import request_for as grpc_request

PREDICT = "/v1/models/colours:predict"


class SlowEngine:
    """An engine that answers when it is let, and remembers the sizes of its batches."""

    name, reason, classes, image_size = "slow", "", ("a", "b"), 1

    def __init__(self):
        self.may_answer, self.batches = threading.Event(), []

    def pixels(self, data: bytes) -> np.ndarray:
        if data == b"broken":
            raise ImageError("truncated", "cut short")
        return np.full((1, 1, 3), data[0], np.uint8)

    def probabilities(self, pixels: np.ndarray) -> np.ndarray:
        assert self.may_answer.wait(10)
        self.batches.append(len(pixels))
        return np.stack([pixels[:, 0, 0, 0], 255 - pixels[:, 0, 0, 0]], axis=1).astype(np.float32)


def with_batcher(limits: Limits, use) -> SlowEngine:
    """Run `use(batcher, engine)` in an event loop."""

    async def main() -> SlowEngine:
        engine = SlowEngine()
        batcher = Batcher(engine, limits, lambda _: None)
        await use(batcher, engine)
        assert batcher.waiting == 0
        await batcher.close()
        return engine

    return asyncio.run(main())


def test_what_comes_while_the_network_is_busy_is_one_batch_and_each_gets_its_own_answer():
    async def use(batcher, engine):
        jobs = [asyncio.create_task(batcher.classify([bytes([number])])) for number in range(21)]
        await asyncio.sleep(0.2)
        engine.may_answer.set()
        answers = await asyncio.gather(*jobs)
        assert [answer[0][0] for answer in answers] == list(range(21))

    batches = with_batcher(Limits(max_batch=8), use).batches
    assert sum(batches) == 21
    assert max(batches) == 8


def test_one_broken_image_among_sixteen_fails_its_own_request_only():
    async def use(batcher, engine):
        images = [b"broken" if number == 5 else bytes([number]) for number in range(16)]
        jobs = [asyncio.create_task(batcher.classify([data])) for data in images]
        engine.may_answer.set()
        answers = await asyncio.gather(*jobs, return_exceptions=True)
        assert [number for number, answer in enumerate(answers) if isinstance(answer, Exception)] == [5]
        assert isinstance(answers[5], ServingError)
        assert answers[5].http_status == 400

    with_batcher(Limits(batch_wait=0.05), use)


def test_a_full_queue_refuses_and_takes_again_when_there_is_room():
    async def use(batcher, engine):
        jobs = [asyncio.create_task(batcher.classify([b"x"])) for _ in range(4)]
        await asyncio.sleep(0.1)
        with pytest.raises(ServingError) as refused:
            await batcher.classify([b"x"])
        assert refused.value.http_status == 429
        with pytest.raises(ServingError) as too_many:
            await batcher.classify([b"x"] * 5)
        assert too_many.value.http_status == 400
        engine.may_answer.set()
        await asyncio.gather(*jobs)
        assert len(await batcher.classify([b"x"] * 4)) == 4

    with_batcher(Limits(queue=4), use)


def test_a_request_that_ran_out_of_time_is_not_computed():
    async def use(batcher, engine):
        first = asyncio.create_task(batcher.classify([b"1"]))
        await asyncio.sleep(0.1)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(batcher.classify([b"2"]), 0.1)
        engine.may_answer.set()
        await first

    assert with_batcher(Limits(), use).batches == [1]


def predict(server: Running, colour: str = "red") -> tuple[int, str]:
    status, answer = server.send(PREDICT, {"instances": [b64(image(colour))]})
    return status, answer["predictions"][0]["class_name"] if status == 200 else str(answer)


def wait_for(condition, seconds: float = 10.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come about"
        time.sleep(0.02)


def states(server: Running) -> dict[str, str]:
    status = server.send("/v1/models/colours")[1]["model_version_status"]
    return {version["version"]: version["state"] for version in status}


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


def test_limits_of_body_and_time(tmp_path):
    write_version(tmp_path, 1)
    with running(settings_for(tmp_path, limits=Limits(body_bytes=2000, timeout=0.001))) as server:
        status, answer = server.send(PREDICT, {"instances": ["x" * 3000]})
        assert (status, "larger than" in answer["error"]) == (413, True)
        big = {"instances": [b64(image(side=90))]}
        assert server.send(PREDICT, big)[0] in (200, 504)
    with running(settings_for(tmp_path, limits=Limits(max_pixels=399))) as server:
        status, answer = server.send(PREDICT, {"instances": [b64(image(side=20))]})
        assert (status, "too_many_pixels" in answer["error"]) == (400, True)


def test_a_body_that_does_not_arrive_is_given_up(tmp_path):
    write_version(tmp_path, 1)
    with running(settings_for(tmp_path, limits=Limits(timeout=0.3, body_bytes=10_000))) as server:
        for path in (PREDICT, "/ui/classify/colours", "/ui/explain/colours/versions/1?class=0"):
            with socket.create_connection(("127.0.0.1", server.server.rest_port), timeout=10) as client:
                client.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{{".encode())
                assert b" 504 " in client.recv(1000)
            status, answer = server.send(path, b"x" * 20_000)
            assert (status, "larger than" in answer["error"]) == (413, True)
        assert predict(server) == (200, "red")
        metrics = server.send("/monitoring/prometheus/metrics")[1]
        # Of :predict and of the page's answer; a heat map is no request to the model.
        assert 'request_count{model_name="colours",status="DEADLINE_EXCEEDED"} 2.0' in metrics
        assert 'request_count{model_name="colours",status="RESOURCE_EXHAUSTED"} 2.0' in metrics


def test_a_crash_is_counted_as_one_and_its_traceback_stays_in_the_log(tmp_path, caplog):
    import grpc

    write_version(tmp_path, 1)
    with running(settings_for(tmp_path)) as server:
        (version,) = server.server.registry.models["colours"].versions.values()
        version.batcher.classify = None  # whatever breaks in the server itself
        assert predict(server) == (500, "{'error': \"internal error, see the server's log\"}")
        channel = grpc.insecure_channel(f"127.0.0.1:{server.server.grpc_port}")
        with channel, pytest.raises(grpc.RpcError) as crashed:
            prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(grpc_request("red"), timeout=10)
        assert crashed.value.code() is grpc.StatusCode.INTERNAL
        assert crashed.value.details() == "internal error, see the server's log"
        metrics = server.send("/monitoring/prometheus/metrics")[1]
        assert 'request_count{model_name="colours",status="INTERNAL"} 2.0' in metrics
        assert 'status="OK"' not in metrics
    assert sum("TypeError" in (record.exc_text or "") for record in caplog.records) == 2


def test_a_network_that_answers_nan_is_counted_as_broken(tmp_path):
    write_version(tmp_path, 1)
    with running(settings_for(tmp_path)) as server:
        (version,) = server.server.registry.models["colours"].versions.values()
        broken = SlowEngine()
        broken.may_answer.set()
        broken.probabilities = lambda pixels: np.full((len(pixels), 2), np.nan, np.float32)
        version.batcher._engine = broken
        for verb, body in (("predict", {"instances": ["0"]}), ("classify", {"examples": [{"image": b64(b"0")}]})):
            assert server.send(f"/v1/models/colours:{verb}", body)[0] == 500
        metrics = server.send("/monitoring/prometheus/metrics")[1]
        assert 'request_count{model_name="colours",status="INTERNAL"} 2.0' in metrics


def test_a_stop_lets_requests_end_and_nothing_new_in(tmp_path):
    write_version(tmp_path, 1)
    with running(settings_for(tmp_path)) as server, ThreadPoolExecutor(1) as client:
        (version,) = server.server.registry.models["colours"].versions.values()
        slow = SlowEngine()
        version.batcher._engine = slow
        pending = client.submit(server.send, PREDICT, {"instances": ["0"]})
        wait_for(lambda: version.batcher.waiting == 1)
        stopping = asyncio.run_coroutine_threadsafe(server.server.stop(), server.loop)
        time.sleep(0.2)
        assert not stopping.done()
        slow.may_answer.set()
        assert pending.result(10)[0] == 200
        stopping.result(10)
        with pytest.raises(OSError):
            server.send("/healthz")
        server.server.stop = lambda: asyncio.sleep(0)
