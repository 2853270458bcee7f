#!/bin/sh
# What modern.sh runs in the Debian 13: what a user of such a system types, and the Kubeflow compile.
set -eu
cd /project

# A checkout's files are newer than the environment; whether it has to change, the lock's hash says.
hash=$(cat pyproject.toml requirements.lock requirements-dev.lock Makefile pipeline/tfx_cli/tfx_efficientnet.pth pipeline/tfx_cli/tfx_efficientnet_hook.py pipeline/tfx_efficientnet_start.py | sha256sum)
if [ "$hash" = "$(cat .venv/lock-hash 2>/dev/null)" ]; then
    touch .venv/.installed-requirements.lock
else
    rm -f .venv/.installed-* .venv/.runtime-* .venv/lock-hash # a set-up that is cut short must not pass for the one before it
fi
make -s setup
echo "$hash" >.venv/lock-hash
[ $# = 0 ] || exec "$@" # one command of your own: modern.sh COMMAND

.venv/bin/python -m pytest -q -n logical --maxprocesses 4 -m "not tfx and not network and not slow"
.venv/bin/effnet run
.venv/bin/python -m pytest -q tests/pipeline/kubeflow/test_compile.py
