#!/bin/sh
# `make mutants`: mutmut changes a line at a time of what decides over data, models and the cache ([tool.mutmut] in
# pyproject.toml says where), and runs the tests of that. Those that no test noticed go to build/mutants.txt.
# With CI set, Hypothesis repeats its examples. Arguments: patterns of mutants' names, such as '*split*'; none: all.
set -eu
cd "$(dirname "$0")/.."
mkdir -p build
rm -rf mutants # what it keeps of an earlier run does not notice new tests
CI=true .venv/bin/mutmut run --max-children "$(nproc)" "$@"
.venv/bin/mutmut results >build/mutants.txt
rm -rf mutants
grep . build/mutants.txt || echo "every mutant was noticed"
