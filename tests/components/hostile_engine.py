"""An engine that is hostile on purpose: what Flink, Spark and Dataflow may do to a pipeline, it does every time."""

import random
from unittest import mock

from apache_beam.runners.portability.fn_api_runner import FnApiRunner, execution, fn_runner

# TensorFlow Transform moves its graph into place in a step that cannot be repeated.
ONLY_ONCE = "PublishMetadataAndTransformFn"


class HostileRunner(FnApiRunner):
    """Runs each bundle twice and throws the first result away; hands groups and elements on in a shuffled order.

    What a bundle writes beside its result stays from both times, as on an engine that repeats a bundle whose worker is
    lost.
    """

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options | {"bundle_repeat": 1})
        self.repeated = 0

    def run_pipeline(self, pipeline, options):
        with mock.patch.object(execution.GroupingBuffer, "partition", shuffled(execution.GroupingBuffer.partition)):
            result = super().run_pipeline(pipeline, options)
            result.wait_until_finish()
        assert self.repeated, "the engine was not hostile"
        return result

    def _run_bundle_multiple_times_for_testing(self, context, bundle_manager: fn_runner.BundleManager, *rest):
        transforms = bundle_manager.bundle_context_manager.process_bundle_descriptor.transforms.values()
        if not any(ONLY_ONCE in transform.unique_name for transform in transforms):
            self.repeated += 1
            super()._run_bundle_multiple_times_for_testing(context, bundle_manager, *rest)


def shuffled(partition):
    def apply(buffer: execution.GroupingBuffer, count: int):
        if not buffer._grouped_output:
            groups = list(buffer._table.items())
            order = random.Random(len(groups))
            order.shuffle(groups)
            for _, values in groups:
                order.shuffle(values)
            buffer._table.clear()
            buffer._table.update(groups)
        return partition(buffer, count)

    return apply
