# make run      sets everything up and runs the whole pipeline on the quick-start images
# make test     sets everything up and passes the tests; make test-all adds the slow ones (JOBS=0: in one process,
#               COVERAGE=1: with the part of each room's branches that they reach)
# make unit     the quick ones, for the loop while editing
# make mutants  which changed lines no test notices, of what decides over data, models and the cache (ONLY='*split*')
# make bench-smoke  whether every benchmark still runs, on next to nothing
# make test-modern  the newer stack (Python 3.13, TFX 1.21) in a Debian 13 of its own; CROSS=1 adds both on one store,
#               SKIP=modern leaves it out
# make fuzz     ten minutes of hostile bytes for every reader of what comes from outside (MINUTES=1, EXAMPLES=500 a round)
# make test-kubeflow KFP_ENDPOINT=http://localhost:8080  the live suite, on a Kubeflow Pipelines of yours (docs/kubeflow.md)
# make setup    only the environment, in .venv (GPU=1: with TensorFlow's CUDA libraries, GPU=0: without; DEV=0: without
#               what only developers need, DEV=1: with; PYTHON=3.11: of that Python)
# make lock     brings the locks in line with pyproject.toml (UPGRADE=1: with the newest versions) and tries both stacks
# make docs     the documentation as a searchable site, in build/site
# make docs/report.png  the picture in the README, anew: of the quick start's last report, with Chromium
# make audit    the locks' known vulnerabilities, but those that docs/stacks.md explains
.PHONY: setup run test test-all test-modern test-kubeflow fuzz unit lint mutants bench-smoke lock audit docs clean docs/report.png anew
SHELL := /bin/sh
# Where the caller forbids it, every process would compile TensorFlow and Keras to bytecode again, 25 s each.
unexport PYTHONDONTWRITEBYTECODE
UV := $(or $(shell command -v uv 2>/dev/null),.uv/bin/uv)
# Without GPU or DEV, what was installed before stays. The targets that need the development tools install them.
INSTALLED := $(firstword $(wildcard .venv/.installed-*.lock .venv/.runtime-*.lock))
GPU ?= $(if $(findstring -gpu,$(INSTALLED)),1,0)
DEV ?= $(if $(findstring .runtime-,$(INSTALLED)),0,1)
TOOLS := $(filter lint unit test test-all test-kubeflow fuzz mutants bench-smoke docs,$(MAKECMDGOALS))$(filter-out 0,$(DEV))
LOCK := $(if $(filter 1,$(GPU)),requirements-gpu.lock,requirements.lock)
LOCKS := $(LOCK)$(if $(TOOLS), requirements-dev.lock)
# TFX 1.21 (Python 3.12, 3.13) needs glibc 2.39 or newer; older systems get Python 3.11 with TFX 1.16.
GLIBC_MINOR := $(shell getconf GNU_LIBC_VERSION 2>/dev/null | sed 's/.* 2\.//; s/\..*//')
PYTHON ?= $(shell [ "$(or $(GLIBC_MINOR),0)" -ge 39 ] && echo '>=3.12,<3.14' || echo 3.11)
# PYTHON=3.11 with an environment of another Python makes that anew.
HAS := $(shell .venv/bin/python -ISc 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
OTHER_PYTHON := $(and $(HAS),$(filter-out $(HAS),$(filter 3.%,$(PYTHON))))
STAMP := .venv/$(if $(TOOLS),.installed,.runtime)-$(LOCK)
COMPILE := pip compile -q --universal --generate-hashes --no-header --no-annotate --python-version 3.11 $(if $(filter 1,$(UPGRADE)),--upgrade)

setup: $(STAMP)

# Debian's pip refuses to install outside a virtual environment, so uv gets a private one, of the lock's version and hash.
.uv/bin/uv:
	@python3 -m venv .uv || { echo "error: python3 cannot make a virtual environment; install python3-venv (apt-get install python3-venv) or uv"; exit 1; }
	@sed -n '/^uv==/,/[^\\]$$/p' requirements-dev.lock >.uv/requirements.txt
	@.uv/bin/pip install -q --require-hashes -r .uv/requirements.txt

$(STAMP): pyproject.toml requirements.lock requirements-gpu.lock requirements-dev.lock $(wildcard pipeline/*/tfx_efficientnet_* pipeline/tfx_efficientnet_*) $(if $(OTHER_PYTHON),anew) | $(filter .uv/bin/uv,$(UV))
	@echo "setting up .venv with Python $(PYTHON) from $(LOCKS)"
	@$(UV) venv -q $(if $(OTHER_PYTHON),--clear,--allow-existing) --python '$(PYTHON)' .venv || \
		{ echo "error: no Python $(PYTHON) was found, nor could it be downloaded: install it, such as apt-get install python3.11 (docs/stacks.md: which one a system needs)"; exit 1; }
	@.venv/bin/python -m pipeline.doctor.stack
	@VIRTUAL_ENV=.venv $(UV) pip sync -q --require-hashes $(LOCKS)
	@VIRTUAL_ENV=.venv $(UV) pip install -q --no-deps --build-constraints requirements-dev.lock -e .
	@rm -f .venv/.installed-* .venv/.runtime-* && touch $@

run: setup
	@.venv/bin/effnet run

# A worker takes about 2 GB, and each imports TFX for itself.
JOBS ?= logical
PYTEST := .venv/bin/python -m pytest -n $(JOBS) --maxprocesses 4 $(if $(filter 1,$(COVERAGE)),--cov --cov-report=)
ROOMS := $(if $(filter 1,$(COVERAGE)),.venv/bin/python -m tests.rooms_covered,:)

unit: setup
	$(PYTEST) -q -m "not tfx and not network and not command and not argo and not slow"

lint: setup
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/shellcheck --shell=sh .ci/run deploy/*.sh tests/engines/*.sh tests/stacks/*.sh tests/mutants.sh benchmarks/smoke.sh

test: lint
	@$(PYTEST) -m "not slow"; status=$$?; $(ROOMS); exit $$status

test-all: lint
	@$(PYTEST); status=$$?; $(ROOMS); exit $$status

mutants: setup
	@sh tests/mutants.sh $(if $(ONLY),'$(ONLY)')

bench-smoke: setup
	@sh benchmarks/smoke.sh

# The runtime's lock binds the other two. Packages that resolve need not have a wheel for every system: each Python is
# tried on the oldest of its stack's.
lock: | $(filter .uv/bin/uv,$(UV))
	$(UV) $(COMPILE) pyproject.toml -o requirements.lock
	$(UV) $(COMPILE) -c requirements.lock --extra gpu pyproject.toml -o requirements-gpu.lock
	$(UV) $(COMPILE) -c requirements.lock --group dev -o requirements-dev.lock
	tests/stacks/installable.sh $(UV)

# In an environment of its own: pip-audit's requirements are none of the project's.
audit: | $(filter .uv/bin/uv,$(UV))
	@sh tests/stacks/audit.sh $(UV)

docs: setup
	NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --strict --quiet
	@echo "build/site/index.html"

docs/report.png: setup
	chromium --headless --no-sandbox --disable-gpu --log-level=3 --hide-scrollbars --window-size=1100,1250 --screenshot=$@ \
		"file://$$(.venv/bin/effnet report)"

# Nightly: whatever bytes come from outside, their readers answer in time and within bounds.
MINUTES ?= 10
fuzz: setup
	@end=$$(( $$(date +%s) + 60 * $(MINUTES) )); while [ $$(date +%s) -lt $$end ]; do \
		FUZZ_EXAMPLES=$(or $(EXAMPLES),500) .venv/bin/python -m pytest -q tests/faults/test_foreign_bytes.py tests/faults/test_foreign_shards.py || exit 1; \
	done

test-modern:
	@sh tests/stacks/modern.sh
	@if [ "$(CROSS)" = 1 ] && [ "$(SKIP)" != modern ]; then $(MAKE) -s setup && sh tests/stacks/cross.sh; fi

# LIVE: pytest's options, such as -k schedule.
test-kubeflow: setup
	@[ -n "$(KFP_ENDPOINT)" ] || { echo "error: name the endpoint: make test-kubeflow KFP_ENDPOINT=http://localhost:8080"; exit 2; }
	KFP_ENDPOINT=$(KFP_ENDPOINT) .venv/bin/python -m pytest -v -s tests/kubeflow/live $(LIVE)

clean:
	rm -rf build mutants .venv .uv
