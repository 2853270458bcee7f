#!/bin/sh
# `make audit`: asks the Python Packaging Advisory Database about both stacks' pins; UV as $1. Runs in an environment of
# its own, since pip-audit's requirements are none of the project's.
set -eu
cd "$(dirname "$0")/../.."
uv=$1
pins=$(mktemp)
trap 'rm -f "$pins" "$pins.said"' EXIT
ignored=$(sed -n 's/^\([A-Z][^ ]*\) .*/--ignore-vuln \1/p' tests/stacks/unfixable.txt)
status=0
for python in 3.11 3.13; do
    "$uv" pip compile -q --no-deps --no-header --no-annotate --python-version $python --python-platform x86_64-manylinux_2_39 \
        requirements.lock >"$pins"
    echo "Python $python: $(grep -c == "$pins") packages"
    # --strict: without it a package that the service does not know counts as a sound one.
    if ! "$uv" tool run -q pip-audit@2.10.1 --strict --no-deps --disable-pip --progress-spinner off $ignored -r "$pins" >"$pins.said" 2>&1; then
        status=1
        if grep -qE "^(Name|Found [0-9])" "$pins.said"; then
            cat "$pins.said"
            echo "error: raise these (make lock UPGRADE=1), or explain in tests/stacks/unfixable.txt why that cannot be" >&2
        else
            tail -n 1 "$pins.said" >&2
            echo "error: nothing was audited: PyPI's advisory service does not answer here; run it where it does" >&2
        fi
    fi
done
exit $status
