#!/bin/sh
# `make test-modern CROSS=1`: a pipeline that both stacks run in turn, on one metadata store; each also asks the other's
# model. The folder has one path on both sides, since the store holds paths.
set -eu
cd "$(dirname "$0")/../.."
root=${XDG_CACHE_HOME:-$HOME/.cache}/tfx-efficientnet/debian-13
folder=$(mktemp -d /var/tmp/effnet-cross.XXXXXX)
log=$(mktemp)
trap 'rm -rf "$folder" "$root$folder" "$log"' EXIT
settings="runners.local.root=$folder/build data.path=$folder/digits model.image_size=32 train.epochs=3
    tune.trials=2 tune.data_fraction=0.3 evaluate.min_accuracy=0.3 evaluate.max_accuracy_drop=0.5"
run=".venv/bin/effnet run"
for setting in $settings; do run="$run --set $setting"; done
answers=".venv/bin/python -m tests.stacks.answers $folder/build/quickstart/served"

move() {
    rm -rf "$2$folder" && mkdir -p "$2$folder" && cp -a "$1$folder/." "$2$folder"
}

# from_cache STEP... -- COMMAND...: runs it, and fails unless it took each of the steps from the cache.
from_cache() {
    steps=
    while [ "$1" != -- ]; do steps="$steps $1" && shift; done
    shift
    "$@" >"$log" 2>&1 || { cat "$log" && return 1; }
    cat "$log"
    for step in $steps; do
        grep -Eq "\] $step +from cache" "$log" ||
            { echo "error: $step was not taken from the cache" >&2 && return 1; }
    done
}

.venv/bin/python -c "import pathlib, data.quickstart as it; it.build_quickstart(pathlib.Path('$folder/digits'))"
echo "cross: this system's stack runs"
$run
move "" "$root"
echo "cross: the newer one continues: the older one's store and model; its libraries are others, so that all runs anew"
tests/stacks/modern.sh sh -c "$answers && $run && $answers"
move "$root" ""
echo "cross: this system's stack continues in turn: its own cache, the newer one's store and model"
$answers
# shellcheck disable=SC2086 # a command in words
from_cache ImageExampleGen Transform Tuner Trainer -- $run
$answers
