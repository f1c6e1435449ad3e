# Every target works on a clean clone: all of them need .venv, and .venv follows the locks.
#
#   make install PYTHON=python3.12     another Python (3.11 or newer)
#   make install PITH_DEVICE=cuda      the lock with torch's CUDA build; remembered until told otherwise
#   make run ARGS="--port 9000"        arguments for `pith serve`, `pith demo` or pytest
#   make quality DATA=folder LIMIT=60  public data to measure on, most texts of each domain and language

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

INSTALLED := $(patsubst $(VENV)/.installed-%,%,$(firstword $(wildcard $(VENV)/.installed-*)))
PYTHON ?= python3
PITH_DEVICE ?= $(or $(INSTALLED),cpu)
ARGS ?=
LIMIT ?= 100

# A choice of this file, not a setting of Pith's.
unexport PITH_DEVICE

ifeq ($(filter $(PITH_DEVICE),cpu cuda),)
$(error PITH_DEVICE is "$(PITH_DEVICE)": must be cpu or cuda)
endif

LOCK := requirements/$(PITH_DEVICE).txt
STAMP := $(VENV)/.installed-$(PITH_DEVICE)

.DEFAULT_GOAL := help
.PHONY: help install run demo test test-all conformance clients oracle check quality lock clean

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 20

install: $(STAMP) ## make .venv with everything the other targets need

run: $(STAMP) ## start Pith on port 8080
	$(BIN)/pith serve $(ARGS)

demo: $(STAMP) ## start Pith with a small upstream, compress a real conversation, show what it saved
	$(BIN)/pith demo $(ARGS)

test: $(STAMP) ## run every test that needs no GPU
	@tests/services.sh
	$(BIN)/python -m pytest -m "not gpu" $(ARGS)

test-all: $(STAMP) ## run every test, the GPU's too, with many more examples a property
	@tests/services.sh
	PITH_TEST_PROFILE=thorough $(BIN)/python -m pytest --timeout=1800 $(ARGS)

conformance: $(STAMP) ## the official SDK's own tests through Pith, byte for byte
	$(BIN)/python -m tests.conformance.sdk_suite $(ARGS)

clients: $(STAMP) ## real clients in Python and JavaScript through Pith, end to end; ARGS=words of their names
	$(BIN)/python -m tests.conformance.clients $(ARGS)

oracle: $(STAMP) ## the statistics of experiments beside another library's, in an environment of its own
	$(BIN)/python -m tests.oracle $(ARGS)

check: $(STAMP) ## formatting, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy --strict
	$(BIN)/python -m pytest tests/test_layers.py

quality: $(STAMP) ## measure what survives compression and write docs/quality.md; DATA=folder of public data
	$(BIN)/pith eval --page docs/quality.md --limit $(LIMIT) $(if $(DATA),--data $(DATA)) $(ARGS)

lock: $(STAMP) ## write the locks anew from pyproject.toml
	UV=$(BIN)/uv requirements/lock.sh

clean: ## remove .venv, caches and build results
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
	find . -name .git -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

# pip as it is configured may offer torch's CPU build already (a wheel folder, a mirror): then it is left alone.
# Only else is the public CPU index named, so that a machine that cannot reach it is not made to try.
CPU_INDEX := https://download.pytorch.org/whl/cpu
TORCH = $$(sed -n 's/^torch==\([^ ]*\).*/\1/p' $(LOCK))
OFFERED = $(PIP) install --quiet --dry-run --no-deps "torch==$(TORCH)+cpu" >/dev/null 2>&1
INDEX_cpu = $$($(OFFERED) || echo --extra-index-url $(CPU_INDEX))
HINT_cpu = found no CPU build of torch? Let pip reach $(CPU_INDEX), or set PITH_DEVICE=cuda: larger, works as well
HINT_cuda = the CUDA lock is for Linux; elsewhere set PITH_DEVICE=cpu

$(STAMP): $(LOCK) requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
	    "Pith needs Python 3.11 or newer and $(PYTHON) is %d.%d: name another with PYTHON=" % sys.version_info[:2])'
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	@# Both builds of torch have the same version: pip would keep the other device's.
	@$(if $(filter-out $(PITH_DEVICE),$(INSTALLED)),$(PIP) uninstall --quiet --yes torch,:)
	@echo 'installing $(LOCK) and requirements/dev.txt into $(VENV)'
	@$(PIP) install --require-hashes $(INDEX_$(PITH_DEVICE)) -r $(LOCK) -r requirements/dev.txt \
	    || { echo 'make install: $(HINT_$(PITH_DEVICE))' >&2; exit 1; }
	@$(PIP) install --quiet --no-build-isolation --no-deps --editable .
	@rm -f $(VENV)/.installed-* && touch $@
