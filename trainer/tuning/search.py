"""A search as one process runs it: the trials that are left, or the answers to the processes that run them.

What this module imports decides the outcome of trials: a search that was killed is resumed while it is the same.
"""

from trainer.job import TrainingJob
from trainer.recipes import default_values, recipe_of
from trainer.tuning.head_study import HeadStudy
from trainer.tuning.oracles import make_oracle
from trainer.tuning.parallel import Member
from trainer.tuning.shared_network import Study
from trainer.tuning.trials import TrialLoop, TrialRunner

NOMINAL_BATCH_SIZE = 32  # for the learning rate's default where `auto` is not decided yet; the search itself knows


def search(job: TrainingJob, directory: str, deadline: float | None = None, member: Member | None = None) -> None:
    """Runs the trials that are left, in this process.

    Args:
      job: what to tune.
      directory: of this search.
      deadline: no trial begins that would end after this `time.monotonic()`.
      member: this process's part in a parallel search.
    """
    if member is not None:
        member.join()
    study = make_study(job)
    oracle = make_oracle(job.tune_settings, job.seed, study.defaults)
    oracle.deadline = deadline
    TrialRunner(oracle, directory, study, announces=member is None or member.number == 0).search()


def make_study(job: TrainingJob) -> Study | HeadStudy:
    """What trains the trials: the head alone where the features of the images are there, else the network."""
    return (Study if job.features_root is None else HeadStudy)(job, job.tune_settings)


def propose_trials(
    job: TrainingJob, directory: str, deadline: float | None, chief: Member, workers: list[Member]
) -> None:
    """Answers the workers of a parallel search; arguments as for `search`."""
    chief.join()
    oracle = make_oracle(job.tune_settings, job.seed, nominal_defaults(job))
    oracle.deadline = deadline
    # Known from the start, or the chief might leave before a slow one has asked, which would then wait for an hour.
    oracle.tuner_ids.update(worker.name for worker in workers)
    TrialLoop(oracle, directory).search()


def nominal_defaults(job: TrainingJob) -> dict[str, float]:
    """The default values, before a batch size of `auto` is decided."""
    batch_size = NOMINAL_BATCH_SIZE if job.settings.batch_size == "auto" else job.settings.batch_size
    return default_values(job.model_settings.chosen_variant, recipe_of(job.settings), batch_size)
