"""Runs components as TFX's local orchestrator does."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any


def run_pipeline(home: Path, components: Sequence[Any], **options: Any) -> None:
    """Run components in this process, with their artifacts and metadata in `home`; a second run uses its cache.

    Args:
      home: a folder.
      components: with those that they depend on.
      options: further arguments of TFX's `Pipeline`.
    """
    from tfx import v1 as tfx

    metadata = tfx.orchestration.metadata.sqlite_metadata_connection_config(str(home / "metadata.sqlite"))
    pipeline = tfx.dsl.Pipeline(
        pipeline_name="test",
        pipeline_root=str(home / "artifacts"),
        components=list(components),
        enable_cache=True,
        metadata_connection_config=metadata,
        **options,
    )
    tfx.orchestration.LocalDagRunner().run(pipeline)
