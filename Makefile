# Two commands do everything on a fresh machine: `make demo` and `make test`. Containers: `make test-stack`, docs/operations.md.
# TORCH=cuda takes the CUDA build of torch, TORCH=cpu nothing but a CPU build; see deploy/torch/install.py.
PYTHON ?= python3
BIN := .venv/bin
PIP = $(PYTHON) -m pip --python $(BIN)/python --no-input --disable-pip-version-check

# Every command and every run is a process of its own: what it imports is compiled once and kept, whoever asks otherwise.
unexport PYTHONDONTWRITEBYTECODE

# What lies in a folder of torch's other build than TORCH asks for.
other_torch = $(if $(filter cuda,$(TORCH)),$(wildcard $(1)/torch-*+cpu*),$(if $(filter cpu,$(TORCH)),$(if $(wildcard \
	$(1)/torch-*+cpu*),,$(wildcard $(1)/torch-*))))
OTHER_INSTALLED := $(call other_torch,.venv/lib/python3*/site-packages)
OTHER_WHEEL := $(call other_torch,wheelhouse)

.PHONY: demo desk test suite test-all test-install style lint types check dev format lock clean test-stack test-stack-more other-torch

demo: .venv/.installed ## draw documents, ingest, search and screen them, compare with the truth
	@$(BIN)/doc-assets demo

PYTEST = $(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test: lint ## what must hold after every change; FAST=1 is a first look: no test of more than a second, no repeats of one path
	@$(MAKE) --no-print-directory --jobs 2 types suite

# mypy without its cache takes half a minute of one core; beside the tests it takes no time of its own.
suite: .venv/.installed
	$(PYTEST) --hypothesis-profile brief -m "not slow$(if $(FAST), and not whole)"

test-all: test-install style ## all tests, and an installation as on a machine that nobody prepared
	$(PYTEST)

check: test

style: lint types ## format, lint, layers, types, definitions

lint: .venv/.installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports

# A test loads the definitions too; dg looks at its own configuration besides.
types: .venv/.installed
	$(BIN)/mypy
	$(if $(FAST),,VIRTUAL_ENV=$(CURDIR)/.venv $(BIN)/dg check defs)

# Up to 6 minutes and 15 GB of disk for a while: elsewhere a wheel or an index at hand hides what the lock files lack.
test-install: ## `make demo` in a copy of the tree, with nothing but the public index
	deploy/tests/fresh_install

# Takes a Docker engine that answers, or installs one (Debian, root). About ten minutes of it are the images.
test-stack: .venv/.installed wheelhouse/.filled ## the container stack on a real engine: build, start, ingest, search, access, faults
	deploy/tests/engine up
	$(BIN)/pytest deploy/tests -m "not more"

# What takes too long for every time, about half an hour: a bundle carried to an empty machine and built there without a
# network, updates and the way back, the other compose files, forward authentication.
test-stack-more: .venv/.installed wheelhouse/.filled wheelhouse/.debs ## further ways to run the stack, on a real engine
	deploy/tests/engine up
	$(BIN)/pytest deploy/tests -m more

# Images are built from these without a network. torch comes by the same rule as into .venv.
wheelhouse/.filled: requirements.lock deploy/torch/cuda.lock $(if $(OTHER_WHEEL),other-torch)
	$(PYTHON) deploy/torch/install.py --wheels wheelhouse --image "$${PYTHON_IMAGE:-python:3.11-slim-bookworm}"
	grep -v '^torch==' requirements.lock | $(PYTHON) -m pip wheel --no-input -qq --no-deps --requirement /dev/stdin --wheel-dir wheelhouse
	@touch $@

# What the image needs of Debian, for builds without a network; fetched inside the base image, so that it is for its release.
wheelhouse/.debs: Dockerfile_user_code
	rm -f wheelhouse/*.deb
	docker run --rm --user 0 --volume "$(CURDIR)/wheelhouse:/out" $${PYTHON_IMAGE:-python:3.11-slim-bookworm} sh -euc \
		'mkdir -p /tmp/debs/partial; apt-get update -qq; apt-get install -y -qq --download-only --no-install-recommends -o Dir::Cache::archives=/tmp/debs \
		tini tesseract-ocr-kor tesseract-ocr-eng postgresql-client >/dev/null; cp /tmp/debs/*.deb /out/'
	@touch $@

dev: .venv/.installed ## Dagster's UI, sensor and schedules on the same home as the demo
	@$(BIN)/doc-assets ui

desk: .venv/.installed ## the review desk with the demo's cases, by a link that opens once
	@$(BIN)/doc-assets serve

format: .venv/.installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Debian splits pip out of venv; the pip of the machine serves the environment as well.
.venv/.installed: requirements.lock deploy/torch/cuda.lock pyproject.toml $(if $(OTHER_INSTALLED),other-torch)
	@echo "Installing $$(grep -c == requirements.lock) packages of requirements.lock into .venv; the first time takes some minutes."
	@$(PYTHON) -m venv $(if $(OTHER_INSTALLED),--clear) --without-pip .venv
	@$(PYTHON) deploy/torch/install.py --python $(BIN)/python -- --no-compile
	@$(PIP) install --quiet --no-deps --no-compile -r requirements.lock
	@$(PIP) check
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

lock: TORCH_VERSION = $(shell sed -n 's/^ *"torch==\([^"]*\)".*/\1/p' pyproject.toml)
lock: ## write both lock files from what pyproject.toml allows today; needs a CPU build of torch at hand
	$(PYTHON) -m venv --clear --without-pip .venv-lock
	TORCH=cpu $(PYTHON) deploy/torch/install.py --python .venv-lock/bin/python --version $(TORCH_VERSION)
	$(PYTHON) -m pip --python .venv-lock/bin/python install --no-input '.[dev]'
	$(PYTHON) -m pip --python .venv-lock/bin/python freeze --all --exclude pip --exclude doc_assets \
		| sed -e 's/+cpu$$//' -e 's/ @ .*//' > requirements.lock
	$(PYTHON) deploy/torch/lock.py $(TORCH_VERSION) > .venv-lock/cuda.lock
	mv .venv-lock/cuda.lock deploy/torch/cuda.lock
	rm -rf .venv-lock

clean: ## remove the environment; homes and logs stay
	rm -rf .venv
