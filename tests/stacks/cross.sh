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
    tune.trials=2 tune.data_fraction=0.3 evaluate.min_accuracy=0.3"
run=".venv/bin/effnet run"
for setting in $settings; do run="$run --set $setting"; done
answers=".venv/bin/python -m tests.stacks.answers $folder/build/quickstart/served"

move() {
    rm -rf "$2$folder" && mkdir -p "$2$folder" && cp -a "$1$folder/." "$2$folder"
}

# from_cache STEP... -- COMMAND...: runs it, and fails unless it took each of the steps from the other stack's cache.
from_cache() {
    steps=
    while [ "$1" != -- ]; do steps="$steps $1" && shift; done
    shift
    "$@" >"$log" 2>&1 || { cat "$log" && return 1; }
    cat "$log"
    for step in $steps; do
        grep -Eq "\] $step +from cache" "$log" ||
            { echo "error: $step of the other stack was not taken from the cache" >&2 && return 1; }
    done
}

.venv/bin/python -c "import pathlib, data.quickstart as it; it.build_quickstart(pathlib.Path('$folder/digits'))"
echo "cross: this system's stack runs"
$run
move "" "$root"
echo "cross: the newer one continues: the older one's store, cache and model"
from_cache ImageExampleGen Transform Tuner Trainer -- \
    tests/stacks/modern.sh sh -c "$run && $answers && $run --set train.epochs=4 && $answers"
move "$root" ""
echo "cross: this system's stack continues in turn"
# shellcheck disable=SC2086 # a command in words
from_cache ImageExampleGen Transform Tuner Trainer -- $run --set train.epochs=4
$answers
