"""Requests that TensorFlow Serving answers to itself before a version is available, so that no client waits.

See "SavedModel Warmup" of TensorFlow Serving: a TFRecord of PredictionLog beside the model.
"""

from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

WARMUP_FILE = "assets.extra/tf_serving_warmup_requests"
BATCHES = (1, 8)  # images a request; TensorFlow Serving takes at most 1,000 requests


def write_warmup(folder: str, images: Sequence[bytes], signature: str = "serving_default") -> None:
    """Writes a request for each batch size.

    Args:
        folder: of the model.
        images: encoded, at least one.
        signature: that takes `image`.
    """
    path = Path(folder) / WARMUP_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for size in BATCHES:
            batch = [images[number % len(images)] for number in range(size)]
            request = predict_pb2.PredictRequest(inputs={"image": tf.make_tensor_proto(batch, tf.string)})
            request.model_spec.signature_name = signature
            log = prediction_log_pb2.PredictLog(request=request)
            writer.write(prediction_log_pb2.PredictionLog(predict_log=log).SerializeToString())
