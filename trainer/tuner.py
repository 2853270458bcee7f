"""The Tuner component's module: `tuner_fn` searches hyperparameters with Keras Tuner, or takes over an earlier result.

A search runs in processes of its own. Its trials lie beside the pipeline's artifacts, in a folder that is named after
all that decides their outcome: a search that was killed is resumed, and another one never taken for it.

    <root>/history.json                   see tuning/reuse.py
    <root>/<key>/search/trial_0/...       see tuning/records.py
    <root>/superseded/...                 see tuning/superseded.py
"""

import concurrent.futures
import dataclasses
import datetime
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import keras_tuner

from components.common import files
from components.common.claims import Claim
from components.common.events import report_progress
from trainer.fit.process import TrainingProcessDied, call_in_fresh_process, running_beside
from trainer.job import FnArgs, TrainingJob
from trainer.tuning.figure import trials_figure
from trainer.tuning.oracles import make_oracle
from trainer.tuning.parallel import Member, members
from trainer.tuning.records import TrialRecord, ranked, read_records
from trainer.tuning.reuse import TunerRun, add_to_history, last_good, read_history, subject_of
from trainer.tuning.search import nominal_defaults, propose_trials, search
from trainer.tuning.superseded import set_aside
from trainer.tuning.table import trials_csv
from trainer.tuning.trials import TrialLoop

if TYPE_CHECKING:
    from tfx.components.tuner.component import TunerFnResult

# Say how much and where is searched, not what comes of a trial: with more of it, the finished trials still count.
NOT_AN_INPUT = ("when", "trials", "minutes", "parallel")
IMAGES: Final = "images"  # in the configuration: the profile of the images, and their drift since earlier searches
TABLE_FILE, FIGURE_FILE, SUMMARY_FILE = "trials.csv", "trials.svg", "search.json"


class NoTrialFinished(RuntimeError):
    """A search has no winner."""


class SearchElsewhere(TrialLoop):
    """Lets other processes search, then answers for them: the tuner that TFX's executor sees.

    Args:
      job: what to tune; its `checkpoint_root` is where searches are kept.
      working_dir: where the search is kept if the job names no place.
    """

    def __init__(self, job: TrainingJob, working_dir: str) -> None:
        self.job = job
        self.settings = job.tune_settings
        self.root = job.checkpoint_root or working_dir
        self.subject = subject_of(job, self.settings)
        images = job.config.get(IMAGES, {})
        self.profile = images.get("profile", {})
        self.result = last_good(self.settings, self.subject, read_history(self.root), images.get("drift", {}))
        # The same search under way in another run keeps its folder; where nothing is searched none is needed.
        self.claim = Claim(f"{self.root}/{search_key(job)}") if self.result is None else None
        directory = self.claim.folder if self.claim else f"{self.root}/{search_key(job)}"
        super().__init__(make_oracle(self.settings, job.seed, nominal_defaults(job)), directory)

    def search(self) -> None:
        """Searches, unless an earlier result is taken over.

        Raises:
          NoTrialFinished: all have failed; the message says why the first one did, and where they are kept.
          TrainingProcessDied: a process was killed outside of a trial.
        """
        if self.result is not None:
            origin = f"the result of {self.result.source}" if self.result.source else "the published values"
            report_progress(f"tune: not searching, using {origin}")
        else:
            self._search()
        # Hyperband's oracle leaves this at None, on which TFX's executor fails (tensorflow/tfx#7778). The line can go
        # when that is closed.
        self.oracle.max_trials = self.oracle.max_trials or len(self.oracle.trials)

    def records(self) -> list[TrialRecord]:
        """All trials so far."""
        return read_records(self.project_dir)

    def ranking(self) -> list[TrialRecord]:
        """The trials that ran to their end, the best first.

        Raises:
          NoTrialFinished: there is none.
        """
        records = self.records()
        ranking = ranked(records, self.direction)
        if not ranking:
            reasons = [record.reason for record in records if record.reason]
            raise NoTrialFinished(
                f"none of {len(records)} trials finished; the first reason: {reasons[0] if reasons else 'no time'}"
            )
        return ranking

    def get_best_hyperparameters(self, num_trials: int = 1) -> list[keras_tuner.HyperParameters]:
        """What the Trainer is to take: only of finished trials, and without Hyperband's own keys."""
        if self.result is not None:
            found = [self.result.values]
        else:
            found = [record.values for record in self.ranking()[:num_trials]]
        answers = []
        for values in found:
            answer = keras_tuner.HyperParameters()
            for name, value in values.items():
                answer.Fixed(name, value)
            answers.append(answer)
        return answers

    def report(self, folder: str, source: str) -> dict[str, str]:
        """Writes table, figure and summary into the artifact at `folder` and notes the run in the history.

        Args:
          folder: of the artifact with the tuner's results.
          source: the artifact that holds the hyperparameters.

        Returns:
          Where the hyperparameters come from, for the artifact's properties.
        """
        if self.result is not None:
            run = dataclasses.replace(self.result, searched=False)
            summary: dict[str, object] = {"values": run.values}
        else:
            records, ranking = self.records(), self.ranking()
            winner = ranking[0]
            now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
            run = TunerRun(self.subject, True, winner.values, source, now, self.profile)
            score_name = self.oracle.objective.name
            default = next((record for record in ranking if record.is_default), None)
            summary = {"values": winner.values, "score_name": score_name, "score": winner.score}
            summary |= {"epochs": len(winner.history), "trials": len(records), "finished": len(ranking)}
            # Hyperband may have given the default values fewer epochs.
            summary |= {"default": default and default.score, "default_epochs": len(default.history) if default else 0}
            files.write_text(f"{folder}/{TABLE_FILE}", trials_csv(records, winner))
            files.write_text(f"{folder}/{FIGURE_FILE}", trials_figure(records, ranking, score_name))
        lineage = {"searched_by": run.source or "published values", "searched_at": run.time}
        content = json.dumps({**summary, "searched": run.searched, **lineage}, indent=1)
        files.write_text(f"{folder}/{SUMMARY_FILE}", content)
        add_to_history(self.root, run)
        return lineage

    def _search(self) -> None:
        deadline = time.monotonic() + self.settings.minutes * 60 if self.settings.minutes else None
        if self.settings.parallel == 1:
            self._run_trials(deadline)
        else:
            chief, workers = members(self.settings.parallel)
            with (
                running_beside(propose_trials, self.job, self.directory, deadline, chief, workers),
                concurrent.futures.ThreadPoolExecutor(len(workers)) as pool,
            ):
                for answer in [pool.submit(self._run_trials, None, worker) for worker in workers]:
                    answer.result()
        self.reload()
        try:
            self.ranking()
        except NoTrialFinished as error:
            # Or a run on a better machine would meet the same failures again.
            place = set_aside(self.root, Path(self.directory).name)
            raise NoTrialFinished(f"{error}; the next run searches anew, these trials are kept in {place}") from None

    def _run_trials(self, deadline: float | None, member: Member | None = None) -> None:
        """Lets a process search until nothing is left; a new one takes over from one that was killed."""
        begun = self._trials_begun()
        while True:
            try:
                call_in_fresh_process(search, self.job, self.directory, deadline, member)
                return
            except TrainingProcessDied:
                # A trial that kills its process is begun again a few times, then recorded as failed.
                before, begun = begun, self._trials_begun()
                if begun == before:
                    raise
                report_progress("tune: the process was killed; continuing with the remaining trials")

    def _trials_begun(self) -> int:
        return sum(record.attempts for record in self.records())


def tuner_fn(fn_args: FnArgs) -> "TunerFnResult":
    """TFX's entry point, see `SearchElsewhere`."""
    from tfx.components.tuner.component import TunerFnResult

    return TunerFnResult(tuner=SearchElsewhere(TrainingJob.from_fn_args(fn_args), fn_args.working_dir), fit_kwargs={})


def search_key(job: TrainingJob) -> str:
    """A hash of what decides the outcome of trials: data, space, recipe, seed and code."""
    config = job.config.copy()
    config.pop(IMAGES, None)
    tune = {name: value for name, value in job.config["tune"].items() if name not in NOT_AN_INPUT}
    return dataclasses.replace(job, config={**config, "tune": tune}).key()
