"""The Tuner component's module: `tuner_fn` searches dropout and drop-connect with Keras Tuner.

The network is built and traced once. Its rates are variables, so a trial sets them, puts back the initial weights and
trains; a stock tuner would trace the network again for every trial (some 20 s for B0 on a CPU).
"""

import math
from typing import TYPE_CHECKING

import keras
import keras_tuner
import tensorflow as tf
from keras_tuner.engine.base_tuner import BaseTuner

from trainer.callbacks import ProgressLogger, TrainingDiverged
from trainer.efficientnet import build_efficientnet, reinitialize, set_regularisation
from trainer.fresh_process import call_in_fresh_process
from trainer.recipe import batch_norm_momentum, compile_model
from trainer.schema import class_names_of
from trainer.settings import ModelSettings, TrainSettings, TuneSettings
from trainer.train import TrainingJob, split_batches

if TYPE_CHECKING:
    from tfx.components.trainer.fn_args_utils import FnArgs
    from tfx.components.tuner.component import TunerFnResult

OBJECTIVE = keras_tuner.Objective("val_loss", "min")
PROJECT = "search"  # Keras Tuner's folder for the trials
GRID_POINTS = 3  # values a rate takes in a grid search


class RegularisationTuner(BaseTuner):
    """Runs every trial on one traced network.

    Args:
      settings: the search; its algorithm becomes Keras Tuner's oracle.
      seed: of the oracle, and of every trial's initial weights.
      directory: where trials are kept.
      network: compiled, with adjustable rates.
    """

    def __init__(self, settings: TuneSettings, seed: int, directory: str, network: keras.Model):
        super().__init__(oracle=make_oracle(settings, seed), directory=directory, project_name=PROJECT, overwrite=True)
        self.network = network
        self.seed = seed

    def run_trial(  # Keras Tuner's hook: one set of rates, from the initial weights to the validation score
        self,
        trial: keras_tuner.engine.trial.Trial,
        train_batches: tf.data.Dataset,
        val_batches: tf.data.Dataset,
        steps_per_epoch: int,
        batch_size: int,
        epochs: int,
    ) -> dict[str, float]:
        """Trains with the trial's rates and returns the last epoch's `val_loss` and `val_accuracy`."""
        values = trial.hyperparameters.values
        set_regularisation(
            self.network, dropout_rate=values["dropout_rate"], drop_connect_rate=values["drop_connect_rate"]
        )
        reinitialize(self.network, self.seed)
        self.network.optimizer.reset()
        epochs = int(values.get("tuner/epochs", epochs))
        rates = f"dropout {values['dropout_rate']:.2f}, drop-connect {values['drop_connect_rate']:.2f}"
        task = f"tune: trial {len(self.oracle.trials)} ({rates})"
        try:
            history = self.network.fit(
                train_batches,
                validation_data=val_batches,
                epochs=epochs,
                callbacks=[ProgressLogger(task, steps_per_epoch * epochs, batch_size)],
                verbose=0,
            ).history
        except TrainingDiverged as error:
            raise keras_tuner.errors.FailedTrialError(str(error)) from error
        scores = {name: history[name][-1] for name in ("val_loss", "val_accuracy")}
        if not math.isfinite(scores["val_loss"]):
            raise keras_tuner.errors.FailedTrialError(f"{task}: the validation loss is {scores['val_loss']}")
        return scores


class SearchElsewhere(BaseTuner):
    """Lets a process of its own search, then answers for it: the tuner that TFX's executor sees."""

    def __init__(self, settings: TuneSettings, seed: int, directory: str):
        super().__init__(oracle=make_oracle(settings, seed), directory=directory, project_name=PROJECT)

    def search(self, job: TrainingJob) -> None:
        """Searches and loads the trials.

        Hyperband's oracle leaves `max_trials` at None, on which TFX's executor fails after the search
        (tensorflow/tfx#7778); the last assignment can go when that is closed.
        """
        call_in_fresh_process(search, job, self.directory)
        self.reload()
        if self.oracle.max_trials is None:
            self.oracle.max_trials = len(self.oracle.trials)


def tuner_fn(fn_args: "FnArgs") -> "TunerFnResult":
    """TFX's entry point: Keras Tuner over `dropout_rate` and `drop_connect_rate`, see `search`."""
    from tfx.components.tuner.component import TunerFnResult

    settings = TuneSettings.model_validate(fn_args.custom_config["tune"])
    tuner = SearchElsewhere(settings, fn_args.custom_config["seed"], fn_args.working_dir)
    return TunerFnResult(tuner=tuner, fit_kwargs={"job": TrainingJob.from_fn_args(fn_args)})


def search(job: TrainingJob, directory: str) -> None:
    """Trains every trial on the train split and ranks it on the val split, never on eval; trials go to `directory`."""
    model_settings = ModelSettings.model_validate(job.config["model"])
    train_settings = TrainSettings.model_validate(job.config["train"])
    settings = TuneSettings.model_validate(job.config["tune"])
    seed, image_size = job.config["seed"], job.config["image_size"]
    num_classes = len(class_names_of(job.schema_path))
    batch_size = train_settings.batch_size

    keras.utils.set_random_seed(seed)
    train_batches, steps_per_epoch = split_batches(
        job.train_files,
        "train",
        batch_size,
        image_size,
        num_classes,
        seed,
        train_settings.horizontal_flip,
        settings.data_fraction,
    )
    val_batches, _ = split_batches(job.val_files, "val", batch_size, image_size, num_classes, seed)
    total_steps = steps_per_epoch * settings.epochs
    model = build_efficientnet(
        model_settings.variant,
        num_classes,
        image_size=image_size,
        batch_norm_momentum=batch_norm_momentum(total_steps),
        seed=seed,
    )
    compile_model(model, train_settings, total_steps)
    RegularisationTuner(settings, seed, directory, model).search(
        train_batches=train_batches,
        val_batches=val_batches,
        steps_per_epoch=steps_per_epoch,
        batch_size=batch_size,
        epochs=settings.epochs,
    )


def make_oracle(settings: TuneSettings, seed: int) -> keras_tuner.Oracle:
    """Keras Tuner's oracle for `settings.algorithm` over the two rates."""
    space = keras_tuner.HyperParameters()
    for name in ("dropout_rate", "drop_connect_rate"):
        low, high = getattr(settings, name)
        if low == high:
            space.Fixed(name, low)
        elif settings.algorithm == "grid":
            space.Choice(name, [low + (high - low) * step / (GRID_POINTS - 1) for step in range(GRID_POINTS)])
        else:
            space.Float(name, low, high)
    # Keras Tuner takes seed 0 for "no seed"; seeds in pipeline.yaml start at 0 and each must repeat.
    common = {"objective": OBJECTIVE, "hyperparameters": space, "seed": seed + 1}
    if settings.algorithm == "hyperband":
        return keras_tuner.oracles.HyperbandOracle(max_epochs=settings.epochs, **common)
    oracles = {
        "random": keras_tuner.oracles.RandomSearchOracle,
        "bayesian": keras_tuner.oracles.BayesianOptimizationOracle,
        "grid": keras_tuner.oracles.GridSearchOracle,
    }
    return oracles[settings.algorithm](max_trials=settings.trials, **common)
