"""`effnet config`: the resolved configuration, its JSON schema, and what a setting means."""

from typing import Annotated

import typer
from rich.padding import Padding
from rich.table import Table

from pipeline.config.load import ConfigSource
from pipeline.config.secrets import without_secrets
from pipeline.shared_options import JsonOption, configured, print_json
from pipeline.terminal import make_console, print_table

app = typer.Typer(invoke_without_command=True)


@app.callback()
@configured
def show(
    context: typer.Context,
    source: ConfigSource,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema of pipeline.yaml.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of YAML.")] = False,
    secrets: Annotated[bool, typer.Option("--secrets", help="Show secrets as they are.")] = False,
) -> None:
    """Print the resolved configuration, without secrets, or its JSON schema for editors."""
    import yaml

    if context.invoked_subcommand:
        return
    if schema:
        from pipeline.config.reference import json_schema

        print_json(json_schema())
        return
    values = source.load().model_dump(mode="json")
    values = values if secrets else without_secrets(values)
    if as_json:
        print_json(values)
    else:
        print(yaml.safe_dump(values, sort_keys=False, allow_unicode=True), end="")


@app.command()
def explain(
    key: Annotated[str, typer.Argument(metavar="SECTION.KEY", help="A setting, such as train.learning_rate.")],
    as_json: JsonOption = False,
) -> None:
    """Explain a setting of pipeline.yaml, or list those of a section."""
    from pipeline.config.reference import find_setting, settings_in

    setting = find_setting(key)
    if as_json:
        print_json([setting, *settings_in(key)])
        return
    console = make_console()
    console.print(setting.key)
    facts = [f"Type: {setting.type}. Default: {setting.shown_default}."] if setting.type else []
    for paragraph in filter(None, (setting.summary, setting.advice, *facts)):
        console.print(Padding(paragraph, (0, 0, 0, 2)))
    if below := settings_in(key):
        table = Table.grid(padding=(0, 0, 0, 2), pad_edge=True)
        for one in below:
            table.add_row(one.key.removeprefix(f"{key}."), one.summary)
        print_table(table, console)
