"""The user's value comes first, then the tuner's, then the published or the recipe's."""

from trainer.recipes import choose_rates
from trainer.settings import AugmentSettings, ModelSettings, TrainSettings

# As Hyperband leaves them, were its own keys not taken out.
TUNED = {
    "values": {
        "dropout_rate": 0.11,
        "drop_connect_rate": 0.12,
        "learning_rate": 0.004,
        "label_smoothing": 0.05,
        "randaugment_magnitude": 7.0,
        "tuner/epochs": 2,
        "tuner/trial_id": "0003",
    }
}


def test_the_tuner_fills_what_the_user_leaves_open_and_nothing_else():
    settings = TrainSettings(learning_rate=0.01).with_tuned(TUNED)
    assert settings == TrainSettings(
        learning_rate=0.01, label_smoothing=0.05, augment=AugmentSettings(randaugment_magnitude=7.0)
    )
    assert TrainSettings().with_tuned(None) == TrainSettings()


def test_rates():
    settings = TrainSettings(dropout_rate=0.5)
    assert choose_rates(ModelSettings(), settings, TUNED) == {"dropout_rate": 0.5, "drop_connect_rate": 0.12}
    published = {"dropout_rate": 0.4, "drop_connect_rate": 0.2}
    assert choose_rates(ModelSettings(variant="b4"), TrainSettings(), None) == published
