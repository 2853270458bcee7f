"""How long do the commands that only look take once a pipeline has run a thousand times?

Compares `effnet runs`, `compare` and `models`, each a process from its start to its end, on a metadata store of 1,000
runs of 18 steps with one of 10 runs. The peer of the reading itself is ML Metadata asked step by step.

    python -m benchmarks.listing [--runs 1000]
"""

import argparse
import functools
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import ml_metadata as mlmd
from ml_metadata.proto import metadata_store_pb2 as pb

from pipeline.config.load import DEFAULT_PATH, load_config
from pipeline.history.metadata import all_runs, open_store, run_contexts

FEW = 10
STEPS = tuple(f"Step{number}" for number in range(18))  # as many as the pipeline has
SHOWN = 20  # runs that `effnet runs` lists
COMMANDS = {"runs": ["runs"], "compare": ["compare", "9", "10"], "models": ["models"]}


def make_store(path: Path, runs: int) -> None:
    """Writes a metadata store with runs as TFX records them."""
    path.parent.mkdir(parents=True)
    config = pb.ConnectionConfig()
    config.sqlite.filename_uri = str(path)
    config.sqlite.connection_mode = pb.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
    store = mlmd.MetadataStore(config)
    kinds = {name: store.put_context_type(pb.ContextType(name=name)) for name in ("pipeline", "pipeline_run", "node")}
    types = {step: store.put_execution_type(pb.ExecutionType(name=step)) for step in STEPS}
    artifact_type = store.put_artifact_type(pb.ArtifactType(name="Examples"))
    for number in range(runs):
        for step in STEPS:
            execution = pb.Execution(type_id=types[step], last_known_state=pb.Execution.COMPLETE)
            event = pb.Event(type=pb.Event.OUTPUT)
            event.path.steps.add(key="output")
            artifact = pb.Artifact(type_id=artifact_type, uri=f"/nowhere/{step}/{number}", state=pb.Artifact.LIVE)
            contexts = [
                pb.Context(type_id=kinds["pipeline"], name="many"),
                pb.Context(type_id=kinds["node"], name=f"many.{step}"),
                pb.Context(type_id=kinds["pipeline_run"], name=f"run-{number}"),
            ]
            store.put_execution(execution, [(artifact, event)], contexts, reuse_context_if_already_exist=True)


def one_by_one(path: Path) -> int:
    """The peer: of each step the queries that a straightforward reader makes; returns how many outputs it saw."""
    store = open_store(path, to_read=True)
    seen = 0
    for run in run_contexts(store)[-SHOWN:]:
        for execution in store.get_executions_by_context(run.id):
            store.get_contexts_by_execution(execution.id)
            events = store.get_events_by_execution_ids([execution.id])
            seen += len(store.get_artifacts_by_id([event.artifact_id for event in events]))
    return seen


def seconds(work, *arguments) -> float:
    """How long a call takes, in seconds."""
    began = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - began


def command_seconds(words: list[str], root: Path, rounds: int) -> float:
    """The median time of a command as a process of its own, in seconds."""
    line = [sys.executable, "-m", "pipeline.cli", *words, "--config", str(DEFAULT_PATH)]
    line += ["--set", "name=many", "--set", f"runners.local.root={root}"]
    call = functools.partial(subprocess.run, line, check=True, capture_output=True)
    call()
    return statistics.median(seconds(call) for _ in range(rounds))


def main() -> None:
    """Prints the times and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None  # each of 18,000 executions is a transaction
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        roots = {}
        for runs in (FEW, given.runs):
            roots[runs] = Path(folder, str(runs))
            settings = load_config(DEFAULT_PATH, ["name=many", f"runners.local.root={roots[runs]}"])
            make_store(settings.metadata_path, runs)
        path = settings.metadata_path
        ours = statistics.median(seconds(all_runs, path, SHOWN) for _ in range(given.rounds))
        peer = statistics.median(seconds(one_by_one, path) for _ in range(given.rounds))
        print(f"the newest {SHOWN} of {given.runs} runs: {ours:.3f} s, step by step {peer:.3f} s")
        for name, words in COMMANDS.items():
            few, many = (command_seconds(words, roots[runs], given.rounds) for runs in (FEW, given.runs))
            print(f"effnet {name}: {many:.3f} s with {given.runs} runs, {few:.3f} s with {FEW}")
            print(f"ratio={few / many:.2f} effnet {name}, {FEW} runs/{given.runs} runs")
        print(f"ratio={peer / ours:.2f} ours/ML Metadata step by step")


if __name__ == "__main__":
    main()
