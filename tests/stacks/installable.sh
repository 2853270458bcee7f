#!/bin/sh
# Whether every Python finds a package for each line of the locks on the oldest system that pipeline/doctor/stack.py names for its
# stack; UV as $1.
set -eu
uv=$1
empty=$(mktemp -d)
trap 'rm -rf "$empty"' EXIT
for lock in requirements.lock requirements-gpu.lock; do
    for system in 3.11:manylinux_2_28 3.12:manylinux_2_39 3.13:manylinux_2_39; do
        python=${system%:*} platform=x86_64-${system#*:}
        "$uv" pip install -q --dry-run --no-deps --require-hashes --target "$empty" \
            --python-version "$python" --python-platform "$platform" -r "$lock" ||
            { echo "error: $lock cannot be installed by Python $python on $platform: pin the package named above" >&2; exit 1; }
        echo "$lock: every package is there for Python $python on $platform"
    done
done
