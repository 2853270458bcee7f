#!/bin/sh
# Whether every Python finds a package for each line of the locks, alone and as `make setup` combines them, on the oldest
# system that pipeline/doctor/stack.py names for its stack; UV as $1.
set -eu
uv=$1
empty=$(mktemp -d)
trap 'rm -rf "$empty"' EXIT
for locks in requirements.lock "requirements.lock requirements-dev.lock" "requirements-gpu.lock requirements-dev.lock"; do
    options=
    for lock in $locks; do options="$options -r $lock"; done
    for system in 3.11:manylinux_2_28 3.12:manylinux_2_39 3.13:manylinux_2_39; do
        python=${system%:*} platform=x86_64-${system#*:}
        # shellcheck disable=SC2086 # an option and its value for each lock
        "$uv" pip install -q --dry-run --no-deps --require-hashes --target "$empty" \
            --python-version "$python" --python-platform "$platform" $options ||
            { echo "error: $locks cannot be installed by Python $python on $platform: pin the package named above" >&2; exit 1; }
        echo "$locks: every package is there for Python $python on $platform"
    done
done
