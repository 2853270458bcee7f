"""Makes the report of a run and writes it: `report.html`, the model card, and the configuration to run it again."""

from tfx.utils import path_utils

from components.atomic_pusher.model_card import make_card
from components.common import files
from components.common.model_info import read_model_info
from components.gated_evaluator.verdict import read_verdict
from components.run_report.collect import Explain, Models, gather
from components.run_report.predictions import StoredSplit
from components.run_report.render import render
from components.run_report.sources import CONFIGURATION_FILE, REPORT_FILE, Push, ReportSettings, Sources
from components.served_model.versions import read_served
from components.serving_check.report import read_report

CARD_FILE = "model_card.md"


def write_report(uri: str, sources: Sources, push: Push, settings: ReportSettings, explain: Explain | None) -> None:
    """Writes the three files below `uri`; the card only if a model was judged."""
    trained = path_utils.serving_model_path(sources.model) if sources.model else ""
    with files.brought(trained) as candidate:
        served = ""
        if sources.served_model and read_served(sources.served_model).version:
            served = path_utils.serving_model_path(sources.served_model)
        models = Models(candidate, served)
        report = gather(
            sources,
            models,
            push,
            settings,
            lambda split: StoredSplit(files.join(sources.examples, f"Split-{split}")),
            explain,
            uri,
        )
        files.write_text(files.join(uri, REPORT_FILE), render(report))
        if settings.configuration:
            files.write_text(files.join(uri, CONFIGURATION_FILE), settings.configuration)
        if sources.evaluation and sources.serving_check:
            verdict, serving = read_verdict(sources.evaluation), read_report(sources.serving_check)
            card = make_card(read_model_info(models.candidate), verdict, serving, sources.model)
            files.write_text(files.join(uri, CARD_FILE), card)
