"""Several processes search together, by Keras Tuner's own chief, who proposes trials, and workers, who run them."""

import os
import socket
from dataclasses import dataclass

import tensorflow as tf

CHIEF = "chief"
HOST = "127.0.0.1"


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
        """Makes this process the member: before a tuner is made, and before a device is used."""
        os.environ["KERASTUNER_TUNER_ID"] = self.name
        os.environ["KERASTUNER_ORACLE_IP"] = HOST
        os.environ["KERASTUNER_ORACLE_PORT"] = str(self.port)
        gpus = tf.config.list_physical_devices("GPU")
        if self.name == CHIEF:
            tf.config.set_visible_devices([], "GPU")
        elif gpus:  # one each; where there are fewer, they are shared
            tf.config.set_visible_devices(gpus[self.number % len(gpus)], "GPU")


def members(workers: int) -> tuple[Member, list[Member]]:
    """The chief and the workers of a new search."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    return Member(CHIEF, port), [Member(f"worker{number}", port, number) for number in range(workers)]
