"""The images that networks are compared on: Transform's output at each resolution, by the pipeline's own data part."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console

from components.common.events import RunEvent, StepEnded
from pipeline.config.model import PipelineConfig
from pipeline.execution.prepare import check_images_are_there, prepare
from pipeline.execution.progress import StepDisplay
from pipeline.run_lock import only_run
from pipeline.scale.design import images_of

LAST_STEP = "Transform"


@dataclass(frozen=True)
class Images:
    """Transformed images of one size, as a TrainingJob takes them."""

    train_files: str
    val_files: str
    schema_path: str
    transform_graph_path: str


class SizeDisplay(StepDisplay):
    """Shows the steps that make the images of one size in one line; a terminal also shows them while they run.

    Args:
      console: where to show.
      side: of the images, pixels.
      steps: component ids in the order of the run.
    """

    def __init__(self, console: Console, side: int, steps: Sequence[str]) -> None:
        super().__init__(console, steps)
        self.side = side
        self.all_cached = True
        self.began = self.last_plain_line = time.monotonic()  # short work shows only its end

    def take(self, event: RunEvent) -> None:
        """Shows one event."""
        if not isinstance(event, StepEnded):
            super().take(event)
            return
        self._end_bar()
        self.all_cached = self.all_cached and event.cached
        if self.current == self.steps[-1]:
            took = "from cache" if self.all_cached else f"{time.monotonic() - self.began:.0f} s"
            self.console.print(f"{f'images of {self.side} pixels':<34} {took:>10}")


def materialise(config: PipelineConfig, sides: Sequence[int], console: Console) -> dict[int, Images]:
    """Runs the pipeline up to Transform for each side; results of earlier runs come from the cache.

    Args:
        config: of the pipeline; its model is ignored.
        sides: pixels.
        console: shows the steps.

    Raises:
        RunInProgress: another process runs this pipeline.
        DataError: the gate refuses the data.
        ConfigError: the images are not where the configuration says.
    """
    check_images_are_there(config)
    from tfx.orchestration.pipeline import RunOptions

    from pipeline.dag import create_pipeline
    from pipeline.execution.local_run import new_run_id, run_locally
    from pipeline.history.metadata import mark_partial, run_of_id

    made = {}
    database = config.metadata_path
    with only_run(config.run_root):
        prepare(config)
        for side in sides:
            pipeline = create_pipeline(images_of(config, side))
            steps = [component.id for component in pipeline.components]
            with SizeDisplay(console, side, steps[: steps.index(LAST_STEP) + 1]):
                run_id = new_run_id()
                run_locally(pipeline, run_id, RunOptions(to_nodes=[LAST_STEP]))
            done = run_of_id(database, run_id).steps
            mark_partial(database, run_id)
            examples = done[LAST_STEP].outputs["transformed_examples"].uri
            made[side] = Images(
                train_files=f"{examples}/Split-train/*",
                val_files=f"{examples}/Split-val/*",
                schema_path=f"{done['CuratedSchema'].outputs['schema'].uri}/schema.pbtxt",
                transform_graph_path=done[LAST_STEP].outputs["transform_graph"].uri,
            )
    return made
