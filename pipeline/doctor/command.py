"""`effnet doctor`, as a user types it."""

from typing import Annotated

import typer
from rich.table import Table

from pipeline.config.load import ConfigSource
from pipeline.shared_options import JsonOption, at_work, configured, print_json
from pipeline.terminal import print_table, styled

app = typer.Typer()


@app.command()
@configured
def doctor(
    source: ConfigSource,
    as_json: JsonOption = False,
    kubeflow: Annotated[bool, typer.Option("--kubeflow", help="Check Kubeflow and its cluster instead.")] = False,
    beam: Annotated[
        bool, typer.Option("--beam", help="Check the engine of runners.beam instead: its address, its workers.")
    ] = False,
) -> None:
    """Check interpreter, C library, packages, GPU, disk and write access; exit status 1 if a check fails."""
    from pipeline.doctor.beam import examine_engine
    from pipeline.doctor.checks import examine
    from pipeline.doctor.kubeflow import examine_kubeflow

    table = Table("", "subject", "finding")
    marks = {True: styled(("ok", "green")), False: styled(("no", "red")), None: styled("-")}
    if kubeflow and beam:
        raise typer.BadParameter("--kubeflow and --beam exclude each other; drop one")
    doing = "asking the cluster" if kubeflow else "trying out the Beam engine" if beam else "checking packages and GPU"
    with at_work(doing):
        if kubeflow:
            verdicts = list(examine_kubeflow(source.load()))
        else:
            verdicts = list((examine_engine if beam else examine)(source.load_or_shipped()))
    for verdict in verdicts:
        table.add_row(marks[verdict.ok], verdict.subject, verdict.finding)
    if as_json:
        print_json(verdicts)
    else:
        print_table(table)
    raise typer.Exit(1 if any(verdict.ok is False for verdict in verdicts) else 0)
