"""Under load: batches, full queues, broken images among whole ones, slow engines, versions that come and go."""

import asyncio
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from components.image_example_gen.images.damage import ImageError
from pipeline.serving.server.batching import Batcher
from pipeline.serving.server.errors import ServingError
from pipeline.serving.server.protos import prediction_service_pb2_grpc
from pipeline.serving.server.settings import Limits
from tests.onnx_model import image, write_version
from tests.pipeline.serving.conftest import PREDICT, b64, predict, running, settings_for, wait_for
from tests.pipeline.serving.test_grpc import request_for as grpc_request


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
