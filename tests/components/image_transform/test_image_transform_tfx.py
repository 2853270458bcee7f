"""Transform says what it will store, has room for it, and loses nothing."""

import shutil
from pathlib import Path

import pytest
from PIL import Image
from sklearn.datasets import load_sample_images

from components.common.human_format import byte_count
from components.image_transform.forecast import Forecast, check_room
from tests.components.data_steps import SCHEMA
from tests.tfx_pipeline import run_pipeline

pytestmark = [pytest.mark.tfx, pytest.mark.usefixtures("in_memory_beam")]


@pytest.fixture
def tiles(make_tree, encode) -> Path:
    """Two classes of 60 photo tiles."""
    photos = dict(zip(("china", "flower"), load_sample_images().images, strict=True))
    return make_tree(
        {
            f"{name}/{row}-{column}.jpg": encode(
                Image.fromarray(photo[row * 60 : row * 60 + 100, column * 60 : column * 60 + 90]), "JPEG"
            )
            for name, photo in photos.items()
            for row in range(6)
            for column in range(10)
        }
    )


def run(tiles: Path, home: Path, *beam_options: str, **transform):
    """Runs ingest and Transform; returns the Transform component and its outputs' folders."""
    from tfx import v1 as tfx

    from components.curated_schema.component import CuratedSchema
    from components.image_example_gen.component import ImageExampleGen
    from components.image_transform.component import ImageTransform
    from trainer.settings import TransformSettings

    ingest = ImageExampleGen(path=str(tiles))
    schema = CuratedSchema(schema_path=str(SCHEMA), report=ingest.outputs["report"])
    settings = TransformSettings(**transform)
    step = ImageTransform(
        examples=ingest.outputs["examples"],
        schema=schema.outputs["schema"],
        preprocessing_fn="trainer.preprocessing.preprocessing_fn",
        splits_config=tfx.proto.SplitsConfig(analyze=["train"], transform=["train", "val"]),
        custom_config={"image_size": 64, **settings.model_dump()},
        materialize=settings.materialize,
        disable_statistics=True,
    ).with_id("Transform")
    run_pipeline(home, [ingest, schema, step], beam_pipeline_args=list(beam_options))
    return sorted(home.glob("artifacts/Transform/transformed_examples/*"))


def test_what_is_stored_is_what_was_forecast(tiles, tmp_path, caplog, monkeypatch):
    from components.image_transform import executor

    made, forecasts = executor.forecast, []
    monkeypatch.setattr(executor, "forecast", lambda *given: forecasts.append(made(*given)) or forecasts[-1])
    caplog.set_level("INFO", logger="effnet.events")
    (stored,) = run(tiles, tmp_path, format="raw", margin=32)
    (forecast,) = forecasts
    assert f"transform: {forecast}" in caplog.messages
    assert sorted(path.name for path in stored.iterdir()) == ["Split-train", "Split-val"]
    size = sum(path.stat().st_size for path in stored.rglob("*.gz"))
    assert 0.85 < forecast.total_bytes / size < 1.15
    assert str(forecast).startswith(f"{forecast.images:,} images of about ")


@pytest.mark.slow
def test_an_example_that_is_lost_is_an_error_with_the_numbers(tiles, tmp_path, monkeypatch):
    from tfx.components.transform import executor as tfx_transform

    whole = tfx_transform.Executor.Do

    def forgetful(self, input_dict, output_dict, exec_properties):
        """Stands in for a runner that loses a shard; none that this project may use does."""
        whole(self, input_dict, output_dict, exec_properties)
        shards = Path(output_dict["transformed_examples"][0].uri)
        shutil.copy(next(shards.glob("Split-val/*.gz")), next(shards.glob("Split-train/*.gz")))

    monkeypatch.setattr(tfx_transform.Executor, "Do", forgetful)
    with pytest.raises(RuntimeError, match=r"examples were lost: Transform stored \d+ of \d+ of train$"):
        run(tiles, tmp_path)


@pytest.mark.slow
def test_nothing_is_stored_where_that_is_asked_for(tiles, tmp_path):
    assert run(tiles, tmp_path, materialize=False, format="raw") == []
    assert list(tmp_path.glob("artifacts/Transform/transform_graph/*/transform_fn/saved_model.pb"))


def test_a_full_disk_is_told_before_and_not_after(tmp_path):
    expected = Forecast(images=10**9, bytes_per_image=150_000.0)
    with pytest.raises(RuntimeError, match=r"would store 150\.0 TB .* are free at .*transform\.format=jpeg"):
        check_room(expected, str(tmp_path / "not" / "yet"))
    check_room(Forecast(images=1, bytes_per_image=1.0), str(tmp_path))
    check_room(expected, "gs://bucket/artifacts")


def test_bytes_are_readable():
    assert [byte_count(count) for count in (12, 3400, 21_000_000_000, 4e15)] == [
        "12 B",
        "3.4 kB",
        "21.0 GB",
        "4,000.0 TB",
    ]
