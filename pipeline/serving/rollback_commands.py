"""The commands about pushed versions: `effnet models` and `rollback`."""

from typing import Annotated

import typer
from rich.table import Table

from pipeline.config.model import PipelineConfig
from pipeline.shared_options import JsonOption, configured, print_json
from pipeline.terminal import print_table, say, styled

app = typer.Typer()


@app.command()
@configured
def models(
    settings: PipelineConfig,
    as_json: JsonOption = False,
) -> None:
    """List the pushed versions, the served one first."""
    from components.served_model.versions import pushed_models, withdrawn

    pushed = pushed_models(settings.push_path)
    if as_json:
        print_json(pushed)
        return
    if not pushed:
        say(f"no model is served from {settings.push_path}: `effnet run` pushes one")
        return
    gone_back_from = withdrawn(pushed)
    served = next((one.version for one in pushed if one.fingerprint not in ("", *gone_back_from)), None)
    table = Table("version", "accuracy", "pushed (UTC)", "")
    for model in pushed:
        notes = [styled(("served", "green"))] if model.version == served else []
        notes += [styled(f"rollback to {model.record.rollback_of}")] if model.record.rollback_of else []
        notes += [styled("withdrawn")] if model.fingerprint in gone_back_from else []
        notes += [styled((model.problem, "red"))] if model.problem else []
        accuracy = "-" if model.record.accuracy is None else f"{model.record.accuracy:.4f}"
        pushed_at = (model.record.pushed_at or "-")[:16].replace("T", " ")
        table.add_row(model.version, accuracy, pushed_at, styled(", ").join(notes))
    print_table(table)


@app.command()
@configured
def rollback(
    settings: PipelineConfig,
    version: Annotated[
        str | None, typer.Argument(help="Version to serve, see `effnet models`; by default the one before.")
    ] = None,
) -> None:
    """Serve an older model again, as a new version. The next run is compared with it."""
    from components.atomic_pusher import store

    back = store.rollback(settings.push_path, version, settings.push.keep)
    print(f"version {back.version} is now served: the model of version {back.record.rollback_of}")
