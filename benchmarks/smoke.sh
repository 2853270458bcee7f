#!/bin/sh
# `make bench-smoke`: whether every benchmark that needs no photos of yours still runs, on next to nothing. Its figures mean
# nothing; a benchmark that ends with an error fails it, and all are tried.
set -u
cd "$(dirname "$0")/.." || exit 1
log=$(mktemp)
trap 'rm -f "$log"' EXIT
result=0

# smoke MODULE OPTION...
smoke() {
    name=$1 began=$(date +%s)
    shift
    if .venv/bin/python -m "benchmarks.$name" "$@" >"$log" 2>&1; then said=ok; else said="FAILED: $(tail -n 1 "$log")" result=1; fi
    printf '%-16s %4d s  %s\n' "$name" $(($(date +%s) - began)) "$said"
}

smoke capacity
smoke damage --damaged 5 --untouched 10
smoke train_step --image-size 32 --batch-size 4 --rounds 1 --steps 1 --peers keras
smoke first_step --image-size 32 --batch-size 4 --rounds 1
smoke input_pipeline --size 32 --epochs 1 --rounds 1
smoke ingest --images 40 80 160 --size 32
smoke transform --images 40 --size 32
smoke tuner --sides ours --trials 2
exit $result
