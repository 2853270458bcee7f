"""Names the kinds of images that the evaluation is sliced by; TFX's Evaluator finds `custom_extractors` here."""

import apache_beam as beam
import numpy as np
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.extractors import slice_key_extractor
from tensorflow_model_analysis.proto import config_pb2

from components.gated_evaluator.slices import BRIGHTNESS_FEATURE, SIZE_FEATURE, brightness_kind, size_kind


def custom_extractors(
    eval_shared_model: object,
    eval_config: config_pb2.EvalConfig,
    tensor_adapter_config: object,
) -> list[tfma.extractors.Extractor]:
    """TFMA's own extractors, and before its slices are cut the features that it cannot cut by a range of."""
    extractors = tfma.default_extractors(
        eval_shared_model=eval_shared_model, eval_config=eval_config, tensor_adapter_config=tensor_adapter_config
    )
    (position,) = [
        index
        for index, extractor in enumerate(extractors)
        if extractor.stage_name == slice_key_extractor.SLICE_KEY_EXTRACTOR_STAGE_NAME
    ]
    name_kinds = tfma.extractors.Extractor(stage_name="NameKinds", ptransform=beam.Map(add_kinds))
    return [*extractors[:position], name_kinds, *extractors[position:]]


def add_kinds(extracts: tfma.Extracts) -> tfma.Extracts:
    """Adds the kinds of one image to its features."""
    features = extracts[tfma.FEATURES_KEY]
    width, height, brightness = (float(np.squeeze(features[name])) for name in ("width", "height", "brightness"))
    kinds = {
        SIZE_FEATURE: np.array([size_kind(int(width), int(height))]),
        BRIGHTNESS_FEATURE: np.array([brightness_kind(brightness)]),
    }
    return {**extracts, tfma.FEATURES_KEY: {**features, **kinds}}
