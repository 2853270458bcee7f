"""`effnet serve`: the server, or TensorFlow Serving in its place."""

import asyncio
import enum
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast
from urllib.parse import quote

import typer

from components.served_model.record import is_version
from components.served_model.versions import pushed_versions
from pipeline.config.load import ConfigSource
from pipeline.config.model import PipelineConfig
from pipeline.shared_options import configured
from pipeline.terminal import say

if TYPE_CHECKING:
    from components.serving_engine.engine import EngineName
    from pipeline.serving.server.settings import ServedFolder

LOOPBACK, REST_PORT, GRPC_PORT = "127.0.0.1", 8501, 8500  # TensorFlow Serving's ports
TOKEN_VARIABLE = "EFFNET_SERVE_TOKEN"
MIB = 1024**2
MAX_PIXELS = 50_000_000  # as data.max_pixels


class ServeEngine(enum.StrEnum):
    """What answers."""

    auto = "auto"
    onnxruntime = "onnxruntime"
    tensorflow = "tensorflow"
    tensorflow_serving = "tensorflow-serving"


# Of `effnet serve`, what TensorFlow Serving would have to be told in files of its own, or cannot do.
OWN_OPTIONS = (
    "label", "threads", "max_batch", "batch_wait_ms", "queue", "timeout", "max_body_mib", "max_pixels", "tls_cert",
    "tls_key", "token_file", "quiet",
)  # fmt: skip
app = typer.Typer(invoke_without_command=True, no_args_is_help=False)


@app.callback()
@configured
def serve(
    context: typer.Context,
    source: ConfigSource,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            metavar="NAME=PATH",
            help="A model's name and its folder of pushed versions; may be repeated. By default that of pipeline.yaml.",
            show_default=False,
        ),
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(
            "--label", metavar="[NAME/]LABEL=VERSION", help="Also serve this version, under a label; may be repeated."
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 is every one of this machine.")] = LOOPBACK,
    port: Annotated[int, typer.Option(help="Port of the REST interface and the page.", min=0, max=65535)] = REST_PORT,
    grpc_port: Annotated[int, typer.Option(help="Port of the gRPC interface.", min=0, max=65535)] = GRPC_PORT,
    engine: Annotated[
        ServeEngine, typer.Option(help="What answers; auto is the fastest engine that was proven at the push.")
    ] = ServeEngine.auto,
    threads: Annotated[int, typer.Option(help="Threads of the engine; 0 is one for each core.", min=0)] = 0,
    max_batch: Annotated[int, typer.Option(help="Most images that go through the network together.", min=1)] = 32,
    batch_wait_ms: Annotated[float, typer.Option(help="Milliseconds that a batch waits for more images.", min=0)] = 0.0,
    queue: Annotated[int, typer.Option(help="Most images that wait for a model; more are refused (429).", min=1)] = 256,
    timeout: Annotated[float, typer.Option(help="Seconds after which a request is given up (504).", min=0.1)] = 30.0,
    max_body_mib: Annotated[float, typer.Option(help="Largest request, in MiB.", min=0.01)] = 64.0,
    max_pixels: Annotated[
        int | None,
        typer.Option(
            help="Most pixels of an image; by default data.max_pixels, or 50 million with --model.",
            min=1024,
            show_default=False,
        ),
    ] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="PEM file with the certificate.", show_default=False)] = None,
    tls_key: Annotated[
        Path | None, typer.Option(help="PEM file with the certificate's key.", show_default=False)
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(
            help=f"File with the bearer token that clients must send; by default ${TOKEN_VARIABLE}.", show_default=False
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Do not log requests.")] = False,
) -> None:
    """Serve pushed models over TensorFlow Serving's REST and gRPC interfaces, with a page to try them.

    A new version or a rollback is served seconds after the push, and no request fails meanwhile.
    """
    if context.invoked_subcommand:
        if given := given_options(context):
            raise typer.BadParameter(f"got {given} before {context.invoked_subcommand}, expected it behind")
        return
    # Folders that are named need no pipeline.yaml, so that a server needs nothing but its models.
    settings = None if model else source.load()
    if engine is ServeEngine.tensorflow_serving:
        from pipeline.serving.tensorflow_serving import serve as start

        refuse_own_options(context)
        (served, *others) = served_folders(settings, model or [], [])
        if others:
            raise typer.BadParameter("got several --model, expected one: TensorFlow Serving needs a file for more")
        start(served.name, served.path, host, port, grpc_port)
        return
    from pipeline.serving.server.run import Server, log_to_stderr, serve_until_stopped
    from pipeline.serving.server.security import token_of
    from pipeline.serving.server.settings import Limits, ServerSettings

    if (tls_cert is None) != (tls_key is None):
        raise typer.BadParameter("got only one of --tls-cert and --tls-key, expected both")
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
        token=token_of(token_file, TOKEN_VARIABLE),
    )
    log_to_stderr(access=not quiet)
    for line in server_settings.warnings:
        typer.echo(f"warning: {line}", err=True)

    def started(server: Server) -> None:
        scheme = "https" if server_settings.tls else "http"
        shown = LOOPBACK if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host
        url = f"{scheme}://{shown}:{server.rest_port}"
        say(f"try it:  {url}/")
        say(f"REST:    {url}/v1/models/{quote(server_settings.models[0].name)}:predict")
        say(f"gRPC:    {shown}:{server.grpc_port}")

    asyncio.run(serve_until_stopped(server_settings, started))


def refuse_own_options(context: typer.Context) -> None:
    """Does nothing unless an option was given that TensorFlow Serving does not have, or takes in another way.

    Raises:
      BadParameter: one was.
    """
    if given := given_options(context, OWN_OPTIONS):
        raise typer.BadParameter(f"got {given}, which --engine tensorflow-serving does not take: leave it out")


def given_options(context: typer.Context, names: Collection[str] | None = None) -> str:
    """Lists the options on the command line, such as --port; of `names` alone, if they are given."""
    # By the name of its source: Typer has a copy of Click, whose class is another.
    given = [
        name
        for name in (context.params if names is None else names)
        if getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"
    ]
    options = {parameter.name: parameter.opts[0] for parameter in context.command.params}
    return ", ".join(options[name] for name in given)


def served_folders(settings: PipelineConfig | None, models: list[str], labels: list[str]) -> "tuple[ServedFolder, ...]":
    """Reads --model and --label; without --model it is the model of the settings.

    Raises:
      BadParameter: one of them is not written as it should be.
      NothingServed: a folder holds no version.
    """
    from pipeline.serving.served import NothingServed
    from pipeline.serving.server.settings import ServedFolder

    folders: dict[str, str] = {}
    for text in models:
        name, separator, path = text.partition("=")
        if not (name and separator and path) or "/" in name or ":" in name:
            raise typer.BadParameter(f"got --model {text}, expected NAME=PATH, such as flowers=build/flowers/served")
        if name in folders:
            raise typer.BadParameter(f"got two models with the name {name}, expected different names")
        folders[name] = path
    if settings:
        folders[settings.name] = settings.push_path
    versions = {name: [int(version) for version in pushed_versions(path)] for name, path in folders.items()}
    for name, path in folders.items():
        if not versions[name]:
            raise NothingServed(path)
    marks: dict[str, dict[str, int]] = {name: {} for name in folders}
    for text in labels:
        left, _, version = text.partition("=")
        name, _, mark = left.rpartition("/")
        name = name or next(iter(folders))
        if name not in folders or not mark or not is_version(version):
            raise typer.BadParameter(f"got --label {text}, expected [NAME/]LABEL=VERSION, of {', '.join(folders)}")
        if int(version) not in versions[name]:
            known = ", ".join(map(str, versions[name]))
            raise typer.BadParameter(f"got --label {text}, expected one of the versions of {name}: {known}")
        marks[name][mark] = int(version)
    return tuple(ServedFolder(name, path, marks[name]) for name, path in folders.items())


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
@configured
def install(
    context: typer.Context,
    source: ConfigSource,
    only_print: Annotated[bool, typer.Option("--print", help="Print the unit and write nothing.")] = False,
) -> None:
    """Have systemd start the server. Takes the options of `effnet serve` as well.

    For example: effnet serve install --host 0.0.0.0 --token-file token
    """
    from pipeline.serving.install import install as write
    from pipeline.serving.install import serve_unit

    settings = source.load()
    # A mistyped option is an error now, not when the machine starts.
    typer.main.get_command(app).make_context("effnet serve", list(context.args), resilient_parsing=False).close()
    units = serve_unit(settings.name, source.path, source.overrides, context.args, Path.cwd())
    if only_print:
        say("\n".join(units.values()), end="")
    else:
        write(units, settings.name, source.path)
