"""ImageExampleGen as a TFX component."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from tfx.dsl.components.base.base_beam_component import BaseBeamComponent
from tfx.dsl.components.base.executor_spec import BeamExecutorSpec
from tfx.types import Channel, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ExecutionParameter

from components.common import artifacts
from components.common.component_spec import TypedSpec
from components.image_example_gen.driver import Driver
from components.image_example_gen.executor import Executor
from components.image_example_gen.sources.settings import ReadingSettings
from components.image_example_gen.sources.spans import SpanRule
from components.image_example_gen.split import SplitRule


class ImageExampleGenSpec(TypedSpec):
    """What goes in and out of ImageExampleGen."""

    PARAMETERS: Mapping[str, ExecutionParameter] = {
        "path": ExecutionParameter(type=str),
        "classes": ExecutionParameter(type=str),
        "val_fraction": ExecutionParameter(type=float),
        "eval_fraction": ExecutionParameter(type=float),
        "seed": ExecutionParameter(type=int),
        "max_pixels": ExecutionParameter(type=int),
        "near_duplicates": ExecutionParameter(type=int),
        "features": ExecutionParameter(type=str),
        "reading": ExecutionParameter(type=str),
        "span_last": ExecutionParameter(type=str),
        "span_window": ExecutionParameter(type=int),
        "span_allow_missing": ExecutionParameter(type=int),
    }
    INPUTS: Mapping[str, ChannelParameter] = {}
    OUTPUTS: Mapping[str, ChannelParameter] = {
        "examples": ChannelParameter(type=standard_artifacts.Examples),
        "report": ChannelParameter(type=artifacts.IngestReport),
    }


class ImageExampleGen(BaseBeamComponent):
    """Reads a folder of labelled images into checked examples, split by their content.

    Outputs:
        examples: `Examples` with the splits train, val and eval, gzipped TFRecords of tf.Example; data/schema.pbtxt
            says what the features are.
        report: `IngestReport`, see components.ingest_report.
    """

    SPEC_CLASS = ImageExampleGenSpec
    EXECUTOR_SPEC = BeamExecutorSpec(Executor)
    DRIVER_CLASS = Driver

    def __init__(
        self,
        path: str,
        classes: Sequence[str] = (),
        val_fraction: float = 0.1,
        eval_fraction: float = 0.1,
        seed: int = 1,
        max_pixels: int = 50_000_000,
        near_duplicates: bool = True,
        features: Mapping[str, str | None] | None = None,
        spans: SpanRule | None = None,
        reading: ReadingSettings | None = None,
    ):
        """Describes an ingest.

        Args:
            path: folder of `<class>/**/*`, of `<split>/<class>/**/*`, of images with label files, or of shards
                (TFRecords of tf.Example, webdataset's tar files, Parquet); a label file, a zip archive or a shard;
                local or on a storage of Beam's. {SPAN} in it stands for a number or a date.
            classes: class names in the order of their labels; empty takes what is found, sorted by name.
            val_fraction: share of the images for validation, 0 to 1, if there is no val folder.
            eval_fraction: share of the images for evaluation, 0 to 1, if there is no eval folder.
            seed: of the split and of the order of the examples.
            max_pixels: larger images (width x height) are quarantined.
            near_duplicates: keeps near copies of an image, scaled or encoded anew, in one split, as exact ones always
                are.
            features: "image", "label", "split", "group" -> name of the feature of tf.Examples that holds it, where it
                is none of the usual ones in `shards.FEATURES`.
            spans: which folders stand for {SPAN} in `path`; None takes the latest.
            reading: how the folder is to be understood; None leaves it to what is there.

        Raises:
            ValueError: if the fractions leave nothing to train on.
        """
        SplitRule(val_fraction, eval_fraction, seed)  # fails here rather than minutes into a run
        spans = spans or SpanRule()
        spec = ImageExampleGenSpec(
            path=path,
            classes=json.dumps(list(classes), ensure_ascii=False),
            val_fraction=float(val_fraction),
            eval_fraction=float(eval_fraction),
            seed=seed,
            max_pixels=max_pixels,
            near_duplicates=int(near_duplicates),
            features=json.dumps({part: name for part, name in (features or {}).items() if name}, sort_keys=True),
            reading=json.dumps(asdict(reading or ReadingSettings()), ensure_ascii=False, sort_keys=True),
            span_last=spans.last,
            span_window=spans.window,
            span_allow_missing=int(spans.allow_missing),
            examples=Channel(type=standard_artifacts.Examples),
            report=Channel(type=artifacts.IngestReport),
        )
        super().__init__(spec=spec)
