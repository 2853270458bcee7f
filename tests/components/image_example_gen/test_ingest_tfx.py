"""The ingest on real images: through its executor, and in a pipeline up to the gate."""

import itertools
import json
import shutil
from pathlib import Path

import pytest
from PIL import Image
from sklearn.datasets import load_sample_images

from components.common.errors import DataError
from components.common.ingest_report import IngestSummary, read_classes, read_quarantine, read_summary
from components.common.profile import find_drift, write_profile
from pipeline.config.data import Drift
from tests.components.data_steps import data_steps
from tests.tfx_pipeline import run_pipeline

pytestmark = [pytest.mark.tfx, pytest.mark.usefixtures("in_memory_beam")]

SPLITS = ("train", "val", "eval")


def read_examples(uri: str) -> dict[str, list]:
    """Split -> examples in the order of the shards."""
    import tensorflow as tf

    examples = {}
    for split in SPLITS:
        shards = sorted(str(path) for path in Path(uri, f"Split-{split}").iterdir())
        records = tf.data.TFRecordDataset(shards, compression_type="GZIP")
        examples[split] = [tf.train.Example.FromString(record.numpy()) for record in records]
    return examples


def value(example, name: str):
    feature = example.features.feature[name]
    (only,) = getattr(feature, feature.WhichOneof("kind")).value
    return only


@pytest.fixture
def ingest(tmp_path):
    """Run the executor; returns the examples artifact and the report's folder."""
    from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
    from tfx.types import standard_artifacts

    from components.common.artifacts import IngestReport
    from components.image_example_gen.executor import Executor

    def apply(root: Path, name: str = "run", classes=(), **changes):
        examples, report = standard_artifacts.Examples(), IngestReport()
        for artifact, key in ((examples, "examples"), (report, "report")):
            artifact.uri = str(tmp_path / name / key)
            Path(artifact.uri).mkdir(parents=True)
        context = BaseBeamExecutor.Context(tmp_dir=str(tmp_path / name / "tmp"), unique_id="1")
        parameters = {"val_fraction": 0.2, "eval_fraction": 0.2, "seed": 1, "max_pixels": 10**6, "near_duplicates": 1}
        parameters |= {
            "span_last": "latest",
            "span_window": 1,
            "span_allow_missing": 0,
            "features": "{}",
            "reading": "{}",
        }
        parameters |= {"path": str(root), "classes": json.dumps(list(classes))} | changes
        Executor(context).Do({}, {"examples": [examples], "report": [report]}, parameters)
        return examples, report.uri

    return apply


@pytest.fixture
def mixed_tree(digits, make_tree, encode) -> Path:
    """60 digits, 2 photos, and the files that such folders gather."""
    scans = {f"digit/{path.name}": path.read_bytes() for path in sorted(digits.glob("[01]/*.png"))[:60]}
    china, flower = (Image.fromarray(image) for image in load_sample_images().images)
    jpeg = encode(china, "JPEG")
    return make_tree(
        scans
        | {
            "photo/china.jpg": jpeg,
            "photo/copy of china.jpg": jpeg,
            "photo/flower.webp": encode(flower, "WEBP"),
            "photo/deep/flower.png": encode(flower.resize((64, 48)), "PNG"),
            "photo/cut.jpg": jpeg[:-1000],
            "photo/torn.png": encode(china.rotate(180), "PNG"),
            "digit/torn.png": encode(china.rotate(180), "PNG"),
            "photo/poster.png": encode(Image.new("1", (1001, 1000)), "PNG"),
            "photo/notes.txt": b"shot in spring",
            "photo/none.jpg": b"",
            "photo/film.mp4": bytes(25_000_000),
            "photo/Thumbs.db": b"x",
            "README.md": b"# digits and photos",
        }
    )


def test_good_images_are_written_and_the_others_named(mixed_tree, ingest):
    artifact, report = ingest(mixed_tree)
    summary = read_summary(report)
    assert read_classes(report) == ["digit", "photo"]
    assert {line["path"]: line["reason"] for line in read_quarantine(report)} == {
        "README.md": "not_in_class_folder",
        "digit/torn.png": "two_classes",
        "photo/torn.png": "two_classes",
        "photo/Thumbs.db": "ignored",
        "photo/cut.jpg": "truncated",
        "photo/film.mp4": "too_many_bytes",
        "photo/none.jpg": "empty_file",
        "photo/notes.txt": "not_an_image",
        "photo/poster.png": "too_many_pixels",
    }
    examples = read_examples(artifact.uri)
    assert sum(map(len, examples.values())) == summary.examples == summary.found - 9 == 64
    assert {split: len(found) for split, found in examples.items()} == {
        split: sum(classes.values()) for split, classes in summary.written.items()
    }
    assert summary.reencoded == {"format": 1}
    assert (summary.identical_files, summary.near_duplicates) == (2, 1)
    splits = {value(example, "path"): split for split, found in examples.items() for example in found}
    assert splits[b"photo/flower.webp"] == splits[b"photo/deep/flower.png"]
    assert list(artifact.splits) == list(SPLITS)


def test_an_example_holds_the_image_and_where_it_came_from(mixed_tree, ingest):
    artifact, _ = ingest(mixed_tree)
    by_path = {
        value(example, "path").decode(): example for found in read_examples(artifact.uri).values() for example in found
    }
    china = by_path["photo/china.jpg"]
    assert value(china, "image") == (mixed_tree / "photo/china.jpg").read_bytes()
    assert (value(china, "label"), value(china, "class_name")) == (1, b"photo")
    assert (value(china, "width"), value(china, "height"), value(china, "format")) == (640, 427, b"jpeg")
    flower = by_path["photo/flower.webp"]
    assert value(flower, "image").startswith(b"\x89PNG")
    assert value(flower, "format") == b"webp"
    assert 0 < value(flower, "brightness") < 1


def splits_of(uri: str) -> dict[str, str]:
    """sha256 -> split; fails if an image lies in two."""
    found: dict[str, str] = {}
    for split, examples in read_examples(uri).items():
        for example in examples:
            assert found.setdefault(value(example, "sha256"), split) == split
    return found


def test_the_split_outlives_renaming_and_new_images(digits, mixed_tree, ingest):
    before = splits_of(ingest(mixed_tree, "before")[0].uri)
    assert set(before.values()) == set(SPLITS)
    for number, path in enumerate(sorted((mixed_tree / "digit").iterdir())):
        path.rename(path.with_name(f"renamed-{1000 - number}.png"))
    for path in sorted(digits.glob("[78]/*.png"))[:40]:
        shutil.copy(path, mixed_tree / "digit")
    after = splits_of(ingest(mixed_tree, "after")[0].uri)
    assert len(after) == len(before) + 40
    assert {sha256: after[sha256] for sha256 in before} == before


def test_the_same_folder_gives_the_same_records_in_an_order_that_mixes_classes(digits, make_tree, ingest):
    root = make_tree({f"{path.parent.name}/{path.name}": path.read_bytes() for path in digits.glob("[34]/*.png")})
    runs = [read_examples(ingest(root, name)[0].uri) for name in ("one", "two")]
    assert runs[0] == runs[1]
    labels = [value(example, "label") for example in runs[0]["train"]]
    changes = sum(a != b for a, b in itertools.pairwise(labels))
    assert changes > len(labels) / 4


def test_given_splits_are_kept_and_the_missing_one_is_cut_from_train(digits, make_tree, ingest):
    scans = {digit: [path.read_bytes() for path in sorted(digits.glob(f"{digit}/*.png"))[:60]] for digit in "58"}
    tree = {f"train/{digit}/{number}.png": data for digit in "58" for number, data in enumerate(scans[digit][:50])}
    tree |= {f"test/{digit}/{number}.png": data for digit in "58" for number, data in enumerate(scans[digit][50:])}
    artifact, report = ingest(make_tree(tree), classes=["8", "5"])
    summary = read_summary(report)
    assert summary.written["eval"] == {"8": 10, "5": 10}
    assert 0 < sum(summary.written["val"].values()) < 40
    assert summary.examples == 120
    origins = {value(example, "path").split(b"/")[0] for example in read_examples(artifact.uri)["val"]}
    assert origins == {b"train"}


def test_a_folder_that_cannot_be_learned_from_is_an_error(make_tree, ingest):
    with pytest.raises(DataError, match="no readable image"):
        ingest(make_tree({"cat/1.png": b"meow", "dog/1.png": b"woof"}))


class Pipeline:
    """Ingest to gate over one image folder, with its artifacts and metadata in another."""

    def __init__(self, images: Path, home: Path):
        self.images, self.home = images, home

    def run(self) -> None:
        drift, served = {"brightness": 0.1, "label": 0.1}, str(self.home / "served")
        run_pipeline(self.home, data_steps(self.images, drift=drift, push_path=served))

    def outputs(self, key: str) -> list[Path]:
        """The folders of a node's output ("ImageExampleGen/report"), one for each time it ran."""
        return sorted(self.home.glob(f"artifacts/{key}/*"), key=lambda path: int(path.name))

    def summary(self) -> IngestSummary:
        return read_summary(str(self.outputs("ImageExampleGen/report")[-1]))


def serve(folder: Path, profile: dict | None) -> None:
    """Puts a model where Pusher would, with what its images were like."""
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    if profile is not None:
        write_profile(str(folder), profile)


def test_halved_brightness_is_drift_and_a_reshuffle_is_not(digits, make_tree, encode, ingest):
    scans = {f"{path.parent.name}/{path.name}": path for path in sorted(digits.glob("[01]/*.png"))[::3]}
    bright = make_tree({name: path.read_bytes() for name, path in scans.items()}, "bright")
    halved = {name: Image.open(path).point(lambda level: level // 2) for name, path in scans.items()}
    dark = make_tree({name: encode(scan, "PNG") for name, scan in halved.items()}, "dark")
    thresholds = Drift().model_dump()
    served = read_summary(ingest(bright, "served")[1]).profile
    (problem,) = find_drift(read_summary(ingest(dark, "dark")[1]).profile, served, thresholds)
    assert problem.startswith("brightness drifted")
    assert find_drift(read_summary(ingest(bright, "reshuffled", seed=2)[1]).profile, served, thresholds) == []


def test_a_pipeline_passes_good_data_reuses_it_and_notices_changes(digits, make_tree, tmp_path):
    images = make_tree({f"{path.parent.name}/{path.name}": path.read_bytes() for path in digits.glob("[012]/*.png")})
    pipeline = Pipeline(images, tmp_path / "pipeline")
    images.rename(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="got nothing at"):
        pipeline.run()
    (tmp_path / "elsewhere").rename(images)
    pipeline.run()
    verdict = json.loads((pipeline.outputs("DataGate/verdict")[0] / "verdict.json").read_text())
    assert verdict["passed"]
    assert sum(verdict["images"].values()) == len(list(images.glob("*/*.png")))

    (images / "0" / "Thumbs.db").touch()  # litter is no change
    pipeline.run()
    assert len(pipeline.outputs("ImageExampleGen/examples")) == len(pipeline.outputs("DataGate/verdict")) == 1

    shutil.copy(next(digits.glob("5/*.png")), images / "1")
    (images / "2" / "notes.png").write_text("no image")
    pipeline.run()
    assert len(pipeline.outputs("ImageExampleGen/examples")) == 2
    assert pipeline.summary().quarantined == {"ignored": 1, "not_an_image": 1}
    assert len(pipeline.outputs("DataGate/verdict")) == 2  # one bad file in 500 does not stop it

    serve(pipeline.home / "served" / "1", profile=None)
    with pytest.raises(DataError, match=r"no verdict on drift.*data\.drift=null"):
        pipeline.run()
    served = pipeline.summary().profile
    serve(pipeline.home / "served" / "2", served)
    pipeline.run()
    serve(pipeline.home / "served" / "3", served | {"brightness": {"19": 500}})
    with pytest.raises(DataError, match=r"brightness drifted by .* raise data\.drift\.brightness"):
        pipeline.run()
    serve(pipeline.home / "served" / "4", served)

    for number in range(40):
        (images / "2" / f"text-{number}.png").write_text("no image either")
    with pytest.raises(DataError, match=r"41 of .* were quarantined"):
        pipeline.run()
    assert len(pipeline.outputs("DataGate/verdict")) == 3


def test_a_manifest_keeps_groups_together_and_stays_in_its_folder(digits, make_tree, ingest):
    scans = sorted(digits.glob("[67]/*.png"))[::6]
    rows = [f"x/{path.name},{path.parent.name},{number // 5}" for number, path in enumerate(scans)]
    tree = {f"x/{path.name}": path.read_bytes() for path in scans}
    tree["labels.csv"] = "\n".join(["path,label,group", *rows, "../secret.png,6,0"]).encode()
    artifact, report = ingest(make_tree(tree) / "labels.csv")
    assert [(line["path"], line["reason"]) for line in read_quarantine(report)] == [
        ("../secret.png", "outside_root"),
    ]
    split_of = {
        value(example, "path").decode(): split
        for split, found in read_examples(artifact.uri).items()
        for example in found
    }
    assert len(split_of) == len(scans)
    assert set(split_of.values()) == set(SPLITS)
    for start in range(0, len(scans), 5):
        assert len({split_of[f"x/{path.name}"] for path in scans[start : start + 5]}) == 1


def test_shards_give_the_same_examples_as_their_files(digits, make_tree, ingest, tmp_path):
    import gzip
    import io
    import tarfile
    import zipfile

    import pyarrow as pa
    import pyarrow.parquet as pq

    scans = [(path.parent.name, path.name, path.read_bytes()) for path in sorted(digits.glob("[45]/*.png"))[::4]]
    folder = make_tree({f"{label}/{name}": data for label, name, data in scans})
    tars = [io.BytesIO(), io.BytesIO()]
    for number, buffer in enumerate(tars):
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for label, name, data in scans[number::2]:
                for field, content in (("png", data), ("cls", label.encode())):
                    member = tarfile.TarInfo(f"{name.removesuffix('.png')}-{label}.{field}")
                    member.size = len(content)
                    archive.addfile(member, io.BytesIO(content))
    cut = gzip.compress(tars[1].getvalue())[:-2000]
    shards = make_tree({"0.tar": tars[0].getvalue(), "1.tar.gz": gzip.compress(tars[1].getvalue())}, "tars")
    damaged = make_tree({"0.tar": tars[0].getvalue(), "1.tar.gz": cut}, "damaged")
    ingested, _ = ingest(folder, "folder")

    def contents(artifact):
        return {
            split: sorted((value(example, "sha256"), value(example, "class_name")) for example in found)
            for split, found in read_examples(artifact.uri).items()
        }

    whole = contents(ingested)
    from_tars, _ = ingest(shards, "tars")
    assert contents(from_tars) == whole
    # The examples of an earlier ingest are themselves such shards, and name their splits.
    from_records, report = ingest(Path(ingested.uri), "records")
    assert contents(from_records) == whole
    assert read_summary(report).given_splits == ["eval", "train", "val"]

    with zipfile.ZipFile(tmp_path / "photos.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for label, name, data in scans:
            archive.writestr(f"photos/{label}/{name}", data)
    assert contents(ingest(tmp_path / "photos.zip", "zip")[0]) == whole
    table = pa.table({"image": [{"bytes": data} for *_, data in scans], "label": [label for label, *_ in scans]})
    pq.write_table(table, make_tree({}, "parquet") / "0.parquet", row_group_size=7)
    assert contents(ingest(tmp_path / "parquet", "parquet-run")[0]) == whole

    _, report = ingest(damaged, "damaged")
    assert "truncated" in {line["reason"] for line in read_quarantine(report) if line["path"] == "1.tar.gz"}
    assert 0 < read_summary(report).examples < len(scans)
