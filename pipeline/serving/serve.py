"""`effnet serve`: the server, or TensorFlow Serving in its place."""

import asyncio
import enum
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from components.served_model.versions import pushed_versions
from pipeline.config.load import ConfigSource
from pipeline.config.model import PipelineConfig
from pipeline.shared_options import configured

if TYPE_CHECKING:
    from components.serving_engine.engine import EngineName
    from pipeline.serving.server.settings import ServedFolder

TOKEN_VARIABLE = "EFFNET_SERVE_TOKEN"
MIB = 1024**2
MAX_PIXELS = 50_000_000  # as data.max_pixels


class ServeEngine(enum.StrEnum):
    """What answers."""

    auto = "auto"
    onnxruntime = "onnxruntime"
    tensorflow = "tensorflow"
    tensorflow_serving = "tensorflow-serving"


app = typer.Typer(help="Serve pushed models over HTTP and gRPC.", invoke_without_command=True, no_args_is_help=False)


@app.callback()
@configured
def serve(
    context: typer.Context,
    source: ConfigSource,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model", metavar="NAME=PATH", help="Folder of pushed versions; may be repeated.", show_default=False
        ),
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option("--label", metavar="[NAME/]LABEL=VERSION", help="Serve this version, too, under a label."),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0: every one of this machine.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Of the REST interface and the page.", min=0, max=65535)] = 8501,
    grpc_port: Annotated[int, typer.Option(help="Of the gRPC interface.", min=0, max=65535)] = 8500,
    engine: Annotated[
        ServeEngine, typer.Option(help="auto: the fastest that was proven when the model was pushed.")
    ] = ServeEngine.auto,
    threads: Annotated[int, typer.Option(help="Of the engine; 0: one for each core.", min=0)] = 0,
    max_batch: Annotated[int, typer.Option(help="Images that go through the network together.", min=1)] = 32,
    batch_wait_ms: Annotated[float, typer.Option(help="How long a batch waits to be filled.", min=0)] = 0.0,
    queue: Annotated[int, typer.Option(help="Images that may wait; more are answered 429.", min=1)] = 256,
    timeout: Annotated[float, typer.Option(help="Seconds for a request.", min=0.1)] = 30.0,
    max_body_mib: Annotated[float, typer.Option(help="Largest request, in MiB.", min=0.01)] = 64.0,
    max_pixels: Annotated[
        int | None, typer.Option(help="Of an image; as data.max_pixels, else 50 million.", min=1024, show_default=False)
    ] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="PEM file of the certificate.", show_default=False)] = None,
    tls_key: Annotated[Path | None, typer.Option(help="PEM file of its key.", show_default=False)] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(help=f"File with the bearer token; else ${TOKEN_VARIABLE}.", show_default=False),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Log no line for each request.")] = False,
) -> None:
    """Serve pushed models with TensorFlow Serving's REST and gRPC interfaces, and a page to try them.

    New versions, rollbacks included, are served seconds after they are pushed; no request fails on the way.
    """
    if context.invoked_subcommand:
        return
    # Folders that are named need no pipeline.yaml, so that a server needs nothing but its models.
    settings = None if model else source.load()
    if engine is ServeEngine.tensorflow_serving:
        from pipeline.serving.tensorflow_serving import serve as start

        start(settings or source.load(), port)
        return
    from pipeline.serving.server.run import Server, log_to_stderr, serve_until_stopped
    from pipeline.serving.server.security import read_token
    from pipeline.serving.server.settings import Limits, ServerSettings

    if (tls_cert is None) != (tls_key is None):
        raise typer.BadParameter("--tls-cert and --tls-key belong together")
    server_settings = ServerSettings(
        models=served_folders(settings, model or [], label or []),
        host=host,
        rest_port=port,
        grpc_port=grpc_port,
        engine=cast("EngineName", engine.value),
        threads=threads,
        limits=Limits(
            max_batch=max_batch,
            batch_wait=batch_wait_ms / 1000,
            queue=queue,
            timeout=timeout,
            body_bytes=int(max_body_mib * MIB),
            max_pixels=max_pixels or (settings.data.max_pixels if settings else MAX_PIXELS),
        ),
        tls=(tls_cert, tls_key) if tls_cert and tls_key else None,
        token=read_token(token_file) if token_file else os.environ.get(TOKEN_VARIABLE, ""),
    )
    log_to_stderr(access=not quiet)
    for line in server_settings.warnings:
        typer.echo(f"warning: {line}", err=True)

    def started(server: Server) -> None:
        scheme = "https" if server_settings.tls else "http"
        shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host
        url = f"{scheme}://{shown}:{server.rest_port}"
        name = server_settings.models[0].name
        print(f"try it:  {url}/")
        print(f"REST:    {url}/v1/models/{name}:predict")
        print(f"gRPC:    {shown}:{server.grpc_port}", flush=True)

    asyncio.run(serve_until_stopped(server_settings, started))


def served_folders(settings: PipelineConfig | None, models: list[str], labels: list[str]) -> "tuple[ServedFolder, ...]":
    """Reads --model and --label; without a --model it is the one of the settings.

    Raises:
      BadParameter: one of them is not written as it should be.
      NothingServed: a folder holds no version.
    """
    from pipeline.serving.predict import NothingServed
    from pipeline.serving.server.settings import ServedFolder

    folders: dict[str, str] = {}
    for text in models:
        name, separator, path = text.partition("=")
        if not (name and separator and path) or "/" in name or ":" in name:
            raise typer.BadParameter(f"got --model {text}, expected NAME=PATH, such as flowers=build/flowers/served")
        if name in folders:
            raise typer.BadParameter(f"got two models of the name {name}")
        folders[name] = path
    if settings:
        folders[settings.name] = settings.push_path
    for path in folders.values():
        if not pushed_versions(path):
            raise NothingServed(f"no model is served from {path}; run `effnet run` first")
    marks: dict[str, dict[str, int]] = {name: {} for name in folders}
    for text in labels:
        left, _, version = text.partition("=")
        name, _, mark = left.rpartition("/")
        name = name or next(iter(folders))
        if name not in folders or not mark or not version.isdecimal():
            raise typer.BadParameter(f"got --label {text}, expected [NAME/]LABEL=VERSION, of {', '.join(folders)}")
        marks[name][mark] = int(version)
    return tuple(ServedFolder(name, path, marks[name]) for name, path in folders.items())


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
@configured
def install(
    context: typer.Context,
    source: ConfigSource,
    only_print: Annotated[bool, typer.Option("--print", help="Show it and write nothing.")] = False,
) -> None:
    """Have systemd start the server; takes the options of `effnet serve`, too.

    For example: effnet serve install --host 0.0.0.0 --token-file token
    """
    from pipeline.serving.install import install as write
    from pipeline.serving.install import serve_unit

    settings = source.load()
    # A mistyped option is an error now, not when the machine starts.
    typer.main.get_command(app).make_context("effnet serve", list(context.args), resilient_parsing=False).close()
    units = serve_unit(settings.name, source.path, source.overrides, context.args, Path.cwd())
    if only_print:
        print("\n".join(units.values()), end="")
    else:
        write(units, settings.name, source.path)
