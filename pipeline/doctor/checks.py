"""The checks of `effnet doctor`: can this machine run the pipeline? A verdict for each, with what to do."""

import importlib.metadata
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from components.common.errors import DataError, one_line
from components.common.files import is_remote, nearest_folder
from components.image_example_gen.sources.source import span_folders
from components.image_example_gen.sources.spans import PLACEHOLDER, SpanRule
from data.quickstart import is_quickstart
from pipeline.config.model import ConfigError, PipelineConfig
from pipeline.doctor.stack import Version, explain_choice, explain_newer, find_obstacle, glibc_version, stack_of
from pipeline.execution.prepare import check_images_are_there

LEAST_FREE_BYTES = 5 * 1024**3
PACKAGES = (
    "tfx",
    "tensorflow",
    "keras",
    "keras-tuner",
    "apache-beam",
    "tensorflow-data-validation",
    "tensorflow-model-analysis",
)


@dataclass(frozen=True)
class Finding:
    """One line of the result; `ok` is None for information only."""

    subject: str
    ok: bool | None
    finding: str


def examine(config: PipelineConfig) -> Iterator[Finding]:
    """Yields a verdict on interpreter, C library, stack, packages, GPU, disk and write access."""
    yield from _stack_verdicts(sys.version_info[:2], glibc_version())
    for package in PACKAGES:
        yield _package_verdict(package)
    yield _gpu_verdict()
    yield from _disk_verdicts(config.run_root)
    yield _images_verdict(config)


def _stack_verdicts(python: Version, glibc: Version | None) -> Iterator[Finding]:
    yield Finding("Python", stack_of(python) is not None, f"{platform.python_version()} (3.11 to 3.13 are supported)")
    yield Finding("C library", glibc is not None, " ".join(platform.libc_ver()) or "not glibc")
    if obstacle := find_obstacle(python, glibc, platform.machine()):
        yield Finding("stack", False, obstacle)
        return
    yield Finding("stack", True, f"{stack_of(python)}: {explain_choice(python, glibc)}")
    if newer := explain_newer(python, glibc):
        yield Finding("newer stack", None, newer)


def _images_verdict(config: PipelineConfig) -> Finding:
    images = config.data.path
    try:
        check_images_are_there(config)
    except ConfigError as error:
        return Finding("images", False, str(error))
    if PLACEHOLDER in images and not is_remote(images):
        try:
            names = span_folders(images).names
            chosen = SpanRule(**config.data.span.model_dump()).choose(names, datetime.now(UTC).date())
        except DataError as error:
            return Finding("images", False, str(error))
        return Finding("images", True, f"{images}: {', '.join(chosen)}")
    if Path(images).exists():
        return Finding("images", True, images)
    if is_quickstart(images):
        return Finding("images", None, "the quick start's; the first run makes them")
    return Finding("images", None, f"{images} (remote; checked by a run)")


def _package_verdict(package: str) -> Finding:
    try:
        return Finding(package, True, importlib.metadata.version(package))
    except importlib.metadata.PackageNotFoundError:
        return Finding(package, False, "not installed: run `make setup`")


def _gpu_verdict() -> Finding:
    try:
        import tensorflow as tf
    except ImportError as error:  # not installed, or its libraries do not load here
        reason = one_line(error)
        return Finding("GPU", False, f"TensorFlow cannot be imported ({reason}): run `rm -rf .venv && make setup`")
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        names = [tf.config.experimental.get_device_details(gpu).get("device_name", "GPU") for gpu in gpus]
        return Finding("GPU", True, ", ".join(names))
    if shutil.which("nvidia-smi"):
        return Finding("GPU", False, "present, but TensorFlow does not see it: run `make setup GPU=1`")
    return Finding("GPU", None, "none: training runs on the CPU")


def _disk_verdicts(run_root: Path) -> Iterator[Finding]:
    existing = nearest_folder(run_root)
    free = shutil.disk_usage(existing).free
    yield Finding("disk", free >= LEAST_FREE_BYTES, f"{free / 1024**3:.0f} GiB free at {existing} (5 GiB at least)")
    probe = existing / ".effnet-write-test"
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        yield Finding("write access", False, f"{existing}: {error.strerror}; set runners.local.root")
    else:
        yield Finding("write access", True, str(existing))
