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
    beam: Annotated[
        bool, typer.Option("--beam", help="Check the engine of runners.beam instead: its address, its workers.")
    ] = False,
) -> None:
    """Check interpreter, C library, packages, GPU, disk and write access; exit status 1 if a check fails."""
    from pipeline.doctor.beam import examine_engine
    from pipeline.doctor.checks import examine

    table = Table("", "subject", "finding")
    marks = {True: styled(("ok", "green")), False: styled(("no", "red")), None: styled("-")}
    with at_work("trying out the Beam engine" if beam else "checking packages, TensorFlow, GPU and disk"):
        verdicts = list((examine_engine if beam else examine)(source.load_or_shipped()))
    for verdict in verdicts:
        table.add_row(marks[verdict.ok], verdict.subject, verdict.finding)
    if as_json:
        print_json(verdicts)
    else:
        print_table(table)
    raise typer.Exit(1 if any(verdict.ok is False for verdict in verdicts) else 0)
