"""The steps that look at data, as tests of whole pipelines chain them."""

from pathlib import Path
from typing import Any

SCHEMA = Path(__file__).parents[2] / "data" / "schema.pbtxt"


def data_steps(images: Path, **gate: Any) -> list[Any]:
    """Ingest, schema, statistics, validator and gate over a folder, a fifth of it in `val` and in `eval`.

    Args:
      images: one folder a class.
      gate: DataGate's limits other than those that all tests share.
    """
    import tensorflow_data_validation as tfdv
    from tfx import v1 as tfx

    from components.curated_schema.component import CuratedSchema
    from components.data_gate.component import DataGate
    from components.image_example_gen.component import ImageExampleGen

    ingest = ImageExampleGen(path=str(images), val_fraction=0.2, eval_fraction=0.2)
    schema = CuratedSchema(schema_path=str(SCHEMA), report=ingest.outputs["report"])
    statistics = tfx.components.StatisticsGen(
        examples=ingest.outputs["examples"],
        schema=schema.outputs["schema"],
        stats_options=tfdv.StatsOptions(enable_semantic_domain_stats=True),
    )
    validator = tfx.components.ExampleValidator(
        statistics=statistics.outputs["statistics"], schema=schema.outputs["schema"]
    )
    limits = {"max_bad_fraction": 0.05, "min_images_per_class": 50, **gate}
    verdict = DataGate(
        anomalies=validator.outputs["anomalies"],
        report=ingest.outputs["report"],
        statistics=statistics.outputs["statistics"],
        **limits,
    )
    return [ingest, schema, statistics, validator, verdict]
