"""The options in `runners.beam`: which engine runs the Beam steps, and what it must be told; see docs/beam.md.

Only the form is checked here; whether a cluster answers shows when a step starts.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence

from pipeline.config.secrets import HIDDEN, is_secret

# Engine -> what it cannot do without: of each group at least one option.
NEEDED: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "DirectRunner": (),
    "PortableRunner": (("job_endpoint",),),
    "FlinkRunner": (("flink_master",),),
    "SparkRunner": (("spark_master_url",),),
    "DataflowRunner": (("project",), ("region",), ("temp_location",)),
}
# Engines whose workers are other machines: they need this project and its packages, as an image or in other ways.
WORKER_PACKAGES = ("sdk_container_image", "environment_type", "setup_file", "requirements_file", "extra_package")
REMOTE = ("DataflowRunner", "FlinkRunner", "SparkRunner")
REFUSED = {"DaskRunner": "it lost a split without an error"}
_EMBEDDED = "embed"  # a job service in the step's own process
_WITH_THEIR_OWN_PACKAGES = ("DOCKER", "EXTERNAL")  # environments of workers other than the process that starts them


def check_form(options: Sequence[str]) -> None:
    """Does nothing if the options can be right.

    Raises:
        ValueError: in one line, with what is missing.
    """
    values = values_of(options)
    runner = values.get("runner", "DirectRunner")
    if runner in REFUSED:
        raise ValueError(f"--runner={runner} is not supported: {REFUSED[runner]}; expected one of {', '.join(NEEDED)}")
    if runner not in NEEDED:
        raise ValueError(f"--runner={runner} is unknown{_nearest(runner, NEEDED)}; expected one of {', '.join(NEEDED)}")
    for group in NEEDED[runner]:
        if not any(values.get(name) for name in group):
            raise ValueError(f"--runner={runner} also needs --{group[0]}=...")
    if runner == "DataflowRunner" and not values["temp_location"].startswith("gs://"):
        raise ValueError(f"--temp_location={values['temp_location']}: Dataflow expects a folder on gs://")
    for name in ("job_endpoint", "flink_master"):
        address = values.get(name, "")
        if address and address not in (_EMBEDDED, "[auto]", "[local]") and not address.rpartition(":")[2].isdecimal():
            raise ValueError(f"--{name}={address}: expected HOST:PORT")


def complete(options: Sequence[str]) -> list[str]:
    """Returns the options with what a job service in this process also needs.

    Beam would start its workers in Docker; in this process they have everything.
    """
    values = values_of(options)
    if values.get("job_endpoint") == _EMBEDDED and "environment_type" not in values:
        return [*options, "--environment_type=LOOPBACK"]
    return list(options)


def workers_are_elsewhere(options: Iterable[str]) -> bool:
    """Whether Beam's workers run outside the process or pod of the step, without its packages and its disk."""
    values = dict(map(_name_and_value, options))
    environment = values.get("environment_type")
    if values.get("runner", "DirectRunner") not in (*REMOTE, "PortableRunner") or environment == "LOOPBACK":
        return False
    return values.get("job_endpoint") != _EMBEDDED or environment in _WITH_THEIR_OWN_PACKAGES


def check_ready(options: Sequence[str]) -> None:
    """Does nothing if a pipeline can start with the options; imports Beam, which takes seconds.

    Beam passes over what it does not know, since job servers have options of their own, such as Flink's --parallelism:
    what looks like a misspelt option of Beam's is refused here.

    Raises:
        ValueError: with the right spelling, or if workers elsewhere would not have this project's packages.
    """
    values = values_of(options)
    runner = values.get("runner", "DirectRunner")
    if workers_are_elsewhere(options) and not any(name in values for name in WORKER_PACKAGES):
        raise ValueError(
            f"runners.beam: --runner={runner} has workers of its own, which need this project's packages: name an "
            "image that has them with --sdk_container_image=... (docs/beam.md)"
        )
    from apache_beam.options.pipeline_options import PipelineOptions

    known = PipelineOptions(list(options)).get_all_options()
    for name in PipelineOptions(list(options)).get_all_options(retain_unknown_options=True).keys() - known.keys():
        if close := difflib.get_close_matches(name, known, n=1, cutoff=0.85):
            raise ValueError(f"runners.beam: --{name} is no option of Beam's; did you mean --{close[0]}?")


def values_of(options: Sequence[str]) -> dict[str, str]:
    """Returns name -> value of options that `check_form` has passed."""
    return dict(map(_name_and_value, options))


def _name_and_value(option: str) -> tuple[str, str]:
    name, equals, value = option.partition("=")
    if not name.startswith("--") or len(name) < 3 or any(character.isspace() for character in name):
        shown = f"{name}={HIDDEN}" if is_secret(name) else option
        raise ValueError(f"{shown!r}: expected --name=value, each option an entry of its own")
    return name[2:], value if equals else "true"


def _nearest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""
