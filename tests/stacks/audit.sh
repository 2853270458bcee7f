#!/bin/sh
# `make audit`: asks the Python Packaging Advisory Database about both stacks' pins; UV as $1. The GPU lock holds all of the
# runtime's (tests/pipeline/test_lock.py). Runs in an environment of its own, since pip-audit's requirements are none of
# the project's.
set -eu
cd "$(dirname "$0")/../.."
uv=$1
pins=$(mktemp)
trap 'rm -f "$pins" "$pins.said"' EXIT
ignored=$(sed -n 's/^\([A-Z][^ ]*\) .*/--ignore-vuln \1/p' tests/stacks/unfixable.txt)
status=0
for python in 3.11 3.13; do
    "$uv" pip compile -q --no-deps --no-header --no-annotate --python-version $python --python-platform x86_64-manylinux_2_39 \
        requirements-gpu.lock requirements-dev.lock >"$pins"
    # --strict: without it a package that the service does not know counts as a sound one.
    # shellcheck disable=SC2086 # an option and its value for each
    if "$uv" tool run -q pip-audit@2.10.1 --strict --no-deps --disable-pip --progress-spinner off $ignored -r "$pins" >"$pins.said" 2>&1; then
        echo "Python $python: $(grep -c == "$pins") packages, no vulnerability known but what tests/stacks/unfixable.txt explains"
    elif grep -qE "^(Name|Found [0-9])" "$pins.said"; then
        cat "$pins.said"
        echo "error: raise these (make lock UPGRADE=1), or explain in tests/stacks/unfixable.txt why that cannot be" >&2
        status=1
    else
        why=$(tail -n 1 "$pins.said" | sed 's/^ERROR:[^ ]*:\([^ ]\)/\1/')
        echo "error: nothing was audited, PyPI's advisory service gave no answer here ($why): run it where PyPI itself is reached" >&2
        exit 1
    fi
done
exit $status
