# Two commands do everything on a fresh machine: `make demo` and `make test`. Containers: `make test-stack`, docs/operations.md.
PYTHON ?= python3
BIN := .venv/bin
PIP = $(PYTHON) -m pip --python $(BIN)/python --no-input --disable-pip-version-check

# Every command and every run is a process of its own: what it imports is compiled once and kept, whoever asks otherwise.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test check dev format lock clean test-stack test-stack-more

demo: .venv/.installed ## draw documents, ingest them, search them, compare with the truth
	@$(BIN)/doc-assets demo

test: .venv/.installed ## everything that must hold: style, types, layers, tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	VIRTUAL_ENV=$(CURDIR)/.venv $(BIN)/dg check defs
	$(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist loadfile

check: test

# Takes a Docker engine that answers, or installs one (Debian, root). About ten minutes of it are the images.
test-stack: .venv/.installed wheelhouse/.filled ## the container stack on a real engine: build, start, ingest, search, access, faults
	deploy/tests/engine up
	$(BIN)/pytest deploy/tests -m "not more"

# What takes too long for every time, about half an hour: a bundle carried to an empty machine and built there without a
# network, updates and the way back, the other compose files, forward authentication.
test-stack-more: .venv/.installed wheelhouse/.filled wheelhouse/.debs ## further ways to run the stack, on a real engine
	deploy/tests/engine up
	$(BIN)/pytest deploy/tests -m more

# Without a network, or on a machine whose own index has CPU wheels of torch, images are built from these. Elsewhere:
# PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu make wheelhouse/.filled
wheelhouse/.filled: requirements.lock
	rm -f wheelhouse/*.whl
	$(PYTHON) -m pip wheel --no-input -qq --no-deps --requirement requirements.lock --wheel-dir wheelhouse
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

format: .venv/.installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Debian splits pip out of venv; the pip of the machine serves the environment as well.
.venv/.installed: requirements.lock pyproject.toml
	@echo "Installing $$(grep -c == requirements.lock) packages of requirements.lock into .venv; the first time takes some minutes."
	@$(PYTHON) -m venv --without-pip .venv
	@$(PIP) install --quiet --no-deps --no-compile -r requirements.lock
	@$(PIP) check
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

lock: ## write requirements.lock from what pyproject.toml allows today
	$(PYTHON) -m venv --clear --without-pip .venv-lock
	$(PYTHON) -m pip --python .venv-lock/bin/python install --no-input '.[dev]'
	$(PYTHON) -m pip --python .venv-lock/bin/python freeze --all --exclude pip --exclude doc_assets \
		| sed -e 's/+cpu$$//' -e 's/ @ .*//' > requirements.lock
	rm -rf .venv-lock

clean: ## remove the environment; homes and logs stay
	rm -rf .venv
