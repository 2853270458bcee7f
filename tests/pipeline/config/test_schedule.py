"""What may stand under `schedule`, and what is said of what may not."""

import pytest

from pipeline.config.load import DEFAULT_PATH, load_config
from pipeline.config.model import ConfigError


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("schedule.cron='0 2 * *'", "schedule.cron: got 4 field(s) in '0 2 * *', expected five"),
        ("schedule.cron='61 2 * * *'", "Bad minute"),
        ("schedule.cron='0 0 30 2 *'", "schedule.cron: got '0 0 30 2 *'"),
        ("schedule.timezone=Berlin", "schedule.timezone: got 'Berlin', expected a name such as Europe/Berlin"),
        ("schedule.only_if.max_age=a week", "got 'a week', expected a whole number of s, m, h or d, such as 30m"),
        ("schedule.time_limit=99999999999d", "got '99999999999d', expected a whole number of s, m, h or d"),
        ("schedule.time_limit=0h", "got '0h', in which no run ends"),
        ("schedule.only_if.new_image=3", "did you mean `new_images`?"),
        ("schedule.catch_up=newest", "'none', 'latest' or 'all'"),
        ("schedule.retries.times=-1", "greater than or equal to 0"),
        ("schedule.tune_when=sometimes", "schedule.tune_when"),
        ("schedule.alerts.about=[pushd]", "schedule.alerts.about"),
    ],
)
def test_a_wrong_value_is_one_line_that_says_what_is_right(setting, told):
    with pytest.raises(ConfigError) as error:
        load_config(DEFAULT_PATH, [setting])
    assert told in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("schedule.alerts.urls=['slack://T1/B2/hunter2']", "entry 1 names no environment variable"),
        ("schedule.alerts.urls=slack://T1/B2/hunter2", "expected a list of URLs"),
        ("schedule.alerts.urls=[{slack: hunter2}]", "expected a list of URLs"),
        ("schedule.alerts=slack://T1/B2/hunter2", "schedule.alerts"),
        ("schedule.alerts.about=[slack://T1/B2/hunter2]", "schedule.alerts.about"),
    ],
)
def test_an_address_in_plain_text_is_refused_and_not_repeated(setting, told):
    with pytest.raises(ConfigError) as error:
        load_config(DEFAULT_PATH, [setting])
    assert told in str(error.value)
    assert "hunter2" not in str(error.value)


def test_a_warm_start_needs_a_served_model_on_this_disk():
    with pytest.raises(ConfigError, match=r"schedule.warm_start needs a push.path on this machine"):
        load_config(DEFAULT_PATH, ["schedule.warm_start=true", "push.path=gs://bucket/served"])


def test_nothing_is_scheduled_unless_it_is_asked_for():
    assert load_config(DEFAULT_PATH).schedule.cron is None
