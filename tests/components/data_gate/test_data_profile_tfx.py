"""A pushed model keeps what its images were like."""

import pytest

from components.common.profile import find_drift, read_profile
from components.served_model.versions import served_path
from tests.tfx_pipeline import run_pipeline

pytestmark = [pytest.mark.tfx, pytest.mark.usefixtures("in_memory_beam")]


def test_the_profile_lies_with_the_pushed_model(digits, make_tree, tmp_path):
    from tfx import v1 as tfx

    from components.data_profile.component import DataProfile
    from components.image_example_gen.component import ImageExampleGen

    scans = sorted(digits.glob("[01]/*.png"))[:60] + sorted(digits.glob("2/*.png"))[:20]
    images = make_tree({f"{path.parent.name}/{path.name}": path.read_bytes() for path in scans})
    model = make_tree({"Format-Serving/saved_model.pb": b"graph"}, "model")
    push_path = tmp_path / "served"
    ingest = ImageExampleGen(path=str(images))
    importer = tfx.dsl.Importer(source_uri=str(model), artifact_type=tfx.types.standard_artifacts.Model)
    pusher = tfx.components.Pusher(
        model=importer.outputs["result"],
        push_destination=tfx.proto.PushDestination(
            filesystem=tfx.proto.PushDestination.Filesystem(base_directory=str(push_path))
        ),
    )
    profile = DataProfile(report=ingest.outputs["report"], pushed_model=pusher.outputs["pushed_model"])
    for _ in range(2):  # the second time from the cache
        run_pipeline(tmp_path, [ingest, importer.with_id("model"), pusher, profile])
    kept = read_profile(served_path(str(push_path)))
    assert sum(kept["label"].values()) == sum(kept["brightness"].values()) == len(scans)
    assert find_drift(kept, kept, dict.fromkeys(kept, 0.0)) == []
