"""Several processes search together: Keras Tuner's own chief proposes trials, and workers run them."""

import os
import socket
import threading
import time
from dataclasses import dataclass

import tensorflow as tf

CHIEF = "chief"
HOST = "127.0.0.1"
SECONDS_TO_START = 180.0  # that the chief may take to listen; loading TensorFlow on a busy machine is most of it
SECONDS_BETWEEN_LOOKS = 2.0
MISSED_LOOKS = 3  # in a row, after which the chief is taken for dead


class ChiefMissing(RuntimeError):
    """The process that proposes trials is missing."""


@dataclass(frozen=True)
class Member:
    """One process of a parallel search.

    Args:
      name: "chief", or another for each worker.
      port: where the chief listens, on this machine alone.
      number: of a worker, from 0.
    """

    name: str
    port: int
    number: int = 0

    def join(self) -> None:
        """Makes this process the member: before a tuner is made, and before a device is used.

        Raises:
          ChiefMissing: to a worker, when the chief does not start.
        """
        os.environ["KERASTUNER_TUNER_ID"] = self.name
        os.environ["KERASTUNER_ORACLE_IP"] = HOST
        os.environ["KERASTUNER_ORACLE_PORT"] = str(self.port)
        gpus = tf.config.list_physical_devices("GPU")
        if self.name == CHIEF:
            tf.config.set_visible_devices([], "GPU")
        elif gpus:  # one each; where there are fewer, they are shared
            tf.config.set_visible_devices(gpus[self.number % len(gpus)], "GPU")
        if self.name != CHIEF:
            self._wait_for_chief()
            threading.Thread(target=self._exit_with_chief, daemon=True).start()

    def _wait_for_chief(self) -> None:
        until = time.monotonic() + SECONDS_TO_START
        while not self._chief_listens():
            if time.monotonic() > until:
                raise ChiefMissing(
                    f"the process that proposes trials does not answer on port {self.port} after "
                    f"{SECONDS_TO_START:.0f} s; run again, or set tune.parallel to 1"
                )
            time.sleep(SECONDS_BETWEEN_LOOKS / 10)

    def _exit_with_chief(self) -> None:
        """Ends this process when the chief is gone: Keras Tuner's worker would wait for it for an hour."""
        missed = 0
        while missed < MISSED_LOOKS:
            time.sleep(SECONDS_BETWEEN_LOOKS)
            missed = 0 if self._chief_listens() else missed + 1
        os._exit(1)

    def _chief_listens(self) -> bool:
        try:
            with socket.create_connection((HOST, self.port), timeout=SECONDS_BETWEEN_LOOKS):
                return True
        except OSError:
            return False


def members(workers: int) -> tuple[Member, list[Member]]:
    """The chief and the workers of a new search."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    return Member(CHIEF, port), [Member(f"worker{number}", port, number) for number in range(workers)]
