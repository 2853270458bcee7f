"""`effnet scale search`, `study` and `compare`: images, forecast, trainings in a process of their own, results.

<run_root>/scale/trainings/           outcomes, shared by all three; see trainer/compound/trainings.py
<run_root>/scale/<command>-<key>/     plan, state and results of one experiment
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, TypeVar, TypeVarTuple

from rich.console import Console

from components.common import files
from components.common.human_format import clock
from components.common.json_types import Parsed
from pipeline.config.model import PipelineConfig
from pipeline.execution.progress import TrainingDisplay
from pipeline.run_lock import only_run
from pipeline.scale.design import training_config
from pipeline.scale.experiment import Effort, Network
from pipeline.scale.images import Images, materialise
from pipeline.scale.results import Row, make_rows
from pipeline.terminal import print_line
from trainer.compound.forecast import Pace, Timing

if TYPE_CHECKING:
    from trainer.compound.candidates import Candidate

PLAN_FILE = "plan.json"

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")


class Plan(TypedDict, total=False):
    """Decisions made before trainings began."""

    timings: list[Parsed]  # the fields of a `Timing` each
    networks: int  # that a search tries


class ScaleRun:
    """One call of a command.

    Args:
      config: the pipeline's.
      effort: how much is spent.
      console: where progress is shown.
    """

    def __init__(self, config: PipelineConfig, effort: Effort, console: Console) -> None:
        self.config = config
        self.effort = effort
        self.console = console
        self.root = config.run_root / "scale"
        self.trainings = self.root / "trainings"
        self.trainings.mkdir(parents=True, exist_ok=True)
        self.seeds = effort.seeds_from(config.seed)
        self._images: dict[int, Images] = {}

    def class_count(self, side: int) -> int:
        """Number of classes of the images, which are made with this side if they do not exist yet."""
        from trainer.schema import class_names_of

        self.make_images([side])
        return len(class_names_of(self._images[side].schema_path))

    def make_images(self, sides: Sequence[int]) -> None:
        """Materialises the images that do not exist yet."""
        missing = sorted(set(sides) - self._images.keys())
        if missing:
            self._images |= materialise(self.config, missing, self.console)

    def candidate(self, network: Network, latency: bool = True) -> "Candidate":
        """A network on the images of its side."""
        from trainer.compound.candidates import Candidate
        from trainer.job import TrainingJob

        images = self._images[network.side]
        job = TrainingJob(
            train_files=[images.train_files],
            val_files=[images.val_files],
            schema_path=images.schema_path,
            transform_graph_path=images.transform_graph_path,
            config=training_config(self.config, self.effort, network, latency),
        )
        return Candidate(network.name, network.group, job, network.layers, network.macs, network.details)

    def folder(self, command: str, key: str) -> Path:
        """The folder of one experiment; the same experiment uses it again."""
        folder = self.root / f"{command}-{key[:12]}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def timings(self, plan: Plan, candidates: Sequence["Candidate"]) -> list[Timing]:
        """Measures the speed over a few steps; taken from the plan once trainings have begun with it."""
        from trainer.compound.candidates import time_candidates

        if "timings" in plan:
            return [Timing(**timing) for timing in plan["timings"]]
        self.console.print("timing the cheapest, the most expensive and the deepest network")
        return self.in_training_process(time_candidates, candidates)

    def in_training_process(self, function: Callable[[*Arguments], Result], *arguments: *Arguments) -> Result:
        """Calls a function of the trainer in a fresh process and shows its progress."""
        from trainer.fit.process import call_in_fresh_process

        display = TrainingDisplay(self.console, "training")
        with display:
            return call_in_fresh_process(function, *arguments)

    def train(self, function: Callable[[*Arguments], bool], *arguments: *Arguments) -> None:
        """Runs the trainings, in one process after the other until the function returns true.

        Raises:
            RunInProgress: another process trains here; two would overwrite each other's checkpoints.
        """
        with only_run(self.root):
            while not self.in_training_process(function, *arguments):
                pass


def rows_of(candidates: Sequence["Candidate"], seeds: Sequence[int], epochs: int, trainings: Path) -> list[Row]:
    """The networks for which at least one training of that many epochs is done, in a folder of outcomes."""
    from trainer.compound.trainings import read_outcome

    found = [
        [read_outcome(candidate.training(seed, epochs), str(trainings)) for seed in seeds] for candidate in candidates
    ]
    return make_rows(candidates, epochs, seeds, found)


def announce(console: Console, what: str, pace: Pace, minutes: float | None) -> None:
    """Prints, before anything starts, how long the rest will take."""
    limit = f", at most {minutes:g} minutes" if minutes is not None else ""
    left = f"about {clock(pace.seconds_left)}{' for the rest' if pace.done else ''}"
    print_line(console, "forecast", f"{what}: {left}{limit}")


def read_plan(folder: Path) -> Plan:
    """Decisions made before an experiment's trainings began; empty at first."""
    path = folder / PLAN_FILE
    plan: Plan = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return plan


def write_plan(folder: Path, plan: Plan) -> None:
    """Replaces the plan."""
    files.write_text(str(folder / PLAN_FILE), json.dumps(plan, indent=1))
