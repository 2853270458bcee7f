"""The commands about earlier runs: `effnet runs`, `report`, `compare`, `lineage` and `clean`."""

import json
import os
import webbrowser
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column, Table

from components.common.human_format import byte_count, counted, shortened
from pipeline.config.model import PipelineConfig
from pipeline.shared_options import JsonOption, configured, print_json
from pipeline.terminal import make_console, print_table, say, styled

app = typer.Typer()

RunArgument = Annotated[
    int | None, typer.Argument(metavar="RUN", help="Its number in `effnet runs`; by default the newest.")
]
COLOURS = {
    "pushed": "green",
    "unchanged": "green",
    "refused": "red",
    "not pushed": "red",
    "stopped": "red",
    "running": "yellow",
}
LONGEST_PARAMETER = 100  # characters that the table shows; --json shows all


def print_runs(settings: PipelineConfig, as_json: bool, last: int) -> None:
    """Lists what ran here, when, and what came of it."""
    from pipeline.history.runs import list_runs

    lines = list_runs(settings, last)
    if as_json:
        print_json(lines)
        return
    if not lines:
        say(f"no runs yet in {settings.run_root}; start one with `effnet run`")
        return
    table = Table("run", "started", "took", "images", "accuracy", Column("result", overflow="fold"), "version")
    for line in reversed(lines):
        why = f": {line.why}" if line.why else ""
        table.add_row(
            str(line.run),
            line.started[:16],
            str(timedelta(seconds=line.seconds)),
            "-" if line.images is None else f"{line.images:,}",
            "-" if line.accuracy is None else f"{line.accuracy:.4f}",
            styled((line.result, COLOURS[line.result]), why),
            line.version,
        )
    print_table(table)


@app.command()
@configured
def report(
    settings: PipelineConfig,
    run: RunArgument = None,
    open_it: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Print the path of a run's HTML report."""
    from pipeline.history.metadata import find_run
    from pipeline.history.report import find_report, report_of_stopped_run
    from pipeline.history.runs import list_runs

    record = find_run(settings.metadata_path, run)
    path = find_report(settings, record)
    if path is None:
        (newest,) = list_runs(settings, last=1)
        if (newest.run, newest.result) == (record.number, "running"):
            raise RuntimeError(f"run {record.number} is still running; its last step writes the report")
        path = report_of_stopped_run(settings, record)
    if as_json:
        print_json({"run": record.number, "report": str(path)})
    else:
        say(str(path))
    if open_it and not webbrowser.open(path.as_uri()):
        raise RuntimeError(f"found no browser; open {path} yourself")


@app.command()
@configured
def compare(
    settings: PipelineConfig,
    one: Annotated[int, typer.Argument(metavar="RUN", help="Its number in `effnet runs`.")],
    other: Annotated[int, typer.Argument(metavar="RUN", help="The number of the other run.")],
    as_json: JsonOption = False,
) -> None:
    """Show how two runs differ: results, metrics, images, configuration."""
    from pipeline.history.metadata import find_run
    from pipeline.history.runs import compare as differences_of

    database = settings.metadata_path
    differences = differences_of(settings, find_run(database, one), find_run(database, other))
    if as_json:
        print_json(differences)
        return
    if not differences:
        print(f"runs {one} and {other} do not differ")
        return
    table = Table("", f"run {one}", f"run {other}", "change")
    for difference in differences:
        before, after = difference.one, difference.other
        change = ""
        if isinstance(before, int | float) and isinstance(after, int | float):
            change = f"{after - before:+.4g}"
        table.add_row(difference.name, _shown(before), _shown(after), change)
    print_table(table)


@app.command()
@configured
def lineage(
    settings: PipelineConfig,
    version: Annotated[
        str | None, typer.Argument(metavar="MODEL", help="A version; by default the served one.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show which images, code and parameters made a pushed model."""
    from pipeline.history.lineage import lineage as find

    version, steps = find(settings, version)
    if as_json:
        print_json({"version": version, "steps": steps})
        return
    console = make_console()
    console.print(f"version {version} was made by", style="bold")
    for step in steps:
        console.print(styled("\n", (step.step, "bold"), f"  {step.at}"))
        for name, value in step.parameters.items():
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            console.print(f"  {name}: {shortened(text, LONGEST_PARAMETER)}", soft_wrap=True)
        for uri in step.outputs:
            console.print(f"  -> {uri}", soft_wrap=True)


@app.command()
@configured
def clean(
    settings: PipelineConfig,
    keep_runs: Annotated[int, typer.Option(min=1, help="Keep the artifacts of the newest N runs.")] = 5,
    yes: Annotated[bool, typer.Option("--yes", help="Delete them; without it they are only listed.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List artifacts that neither the newest runs nor the pushed models need, and superseded searches."""
    from pipeline.history.clean import delete, find_unneeded
    from pipeline.run_lock import only_run

    with only_run(settings.run_root):
        unneeded = find_unneeded(settings, keep_runs)
        if yes:
            delete(settings, unneeded)
    total = sum(entry.bytes for entry in unneeded)
    if as_json:
        print_json({"deleted": yes, "bytes": total, "artifacts": unneeded})
        return
    if not unneeded:
        say(f"nothing to delete in {settings.run_root}: the newest {keep_runs} runs and the pushed models need it all")
        return
    table = Table("MB", "kind", "folder")
    for entry in unneeded:
        folder = Path(os.path.relpath(entry.path, settings.run_root))
        table.add_row(f"{entry.bytes / 1e6:.1f}", entry.kind, str(folder))
    print_table(table)
    done = "deleted" if yes else "would be deleted; run `effnet clean --yes` to delete them"
    print(f"{counted(len(unneeded), 'artifact')}, {byte_count(total)}: {done}")


def _shown(value: object) -> str:
    return "-" if value is None else f"{value:.4f}" if isinstance(value, float) else str(value)
