"""TensorFlow Serving itself as a judge, where Docker can start it: TFX's InfraValidator.

Its other way, Kubernetes, is not offered: TFX's runner for it works only in a pod of Kubeflow Pipelines v1
(`kube_utils.is_inside_kfp`).
"""

from typing import TYPE_CHECKING

from pipeline.config.gates import ServingSettings

if TYPE_CHECKING:
    from tfx.types import BaseChannel
    from tfx.types.standard_artifacts import Examples, Model
    from tfx.v1.components import InfraValidator

MODEL_NAME = "candidate"
REQUESTS = 3
LOADING_SECONDS = 300
TRIES = 2


def make_infra_validator(
    settings: ServingSettings, model: "BaseChannel[Model]", examples: "BaseChannel[Examples]"
) -> "InfraValidator":
    """Sends eval images to TensorFlow Serving, which loads the exported model.

    InfraValidator builds its requests from tf.Examples, so it asks the signature that takes those. Where nothing can
    start a server its blessing is a refusal.

    Args:
        settings: which image is to serve.
        model: Trainer's `model`.
        examples: ImageExampleGen's `examples`.
    """
    from tfx import v1 as tfx

    serving = tfx.proto.ServingSpec(
        tensorflow_serving=tfx.proto.TensorFlowServing(tags=[settings.tf_serving_tag]),
        local_docker=tfx.proto.LocalDockerConfig(),
        model_name=MODEL_NAME,
    )
    return tfx.components.InfraValidator(
        model=model,
        examples=examples,
        serving_spec=serving,
        validation_spec=tfx.proto.ValidationSpec(max_loading_time_seconds=LOADING_SECONDS, num_tries=TRIES),
        request_spec=tfx.proto.RequestSpec(
            tensorflow_serving=tfx.proto.TensorFlowServingRequestSpec(signature_names=["serving_examples"]),
            split_name="eval",
            num_examples=REQUESTS,
        ),
    )
