# One word for everything. `make demo` and `make test` need only Python 3.11+, git and make.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help demo test test-full check docs bench system-deps postgresql clean

VENV := .venv
BIN := $(VENV)/bin
# More processes than cores only make the time limits in tests harder to keep.
TEST_WORKERS ?= 2
SYSTEM_PACKAGES ?= postgresql chromium chromium-driver

# Spinning OpenMP threads starve whatever shares the cores with them.
export OMP_WAIT_POLICY ?= PASSIVE
export PIP_DISABLE_PIP_VERSION_CHECK := 1

help:  ## what each word does
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.installed  ## a CSV in, a model out, on a real table, in about a minute
	$(BIN)/python examples/demo.py

test: $(VENV)/.installed-dev postgresql  ## everything that CI checks
	@$(MAKE) --no-print-directory check docs
	$(BIN)/python -m pytest -n $(TEST_WORKERS)

test-full: $(VENV)/.installed-dev postgresql  ## the same with full repetitions (hours)
	@$(MAKE) --no-print-directory check docs
	OCTAVO_REPEATS=$${OCTAVO_REPEATS:-5} $(BIN)/python -m pytest -n $(TEST_WORKERS) -o timeout=3600

check: $(VENV)/.installed-dev  ## format, lint, types, and the floors of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

docs: $(VENV)/.installed-dev  ## build the documentation into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

bench: $(VENV)/.installed-dev  ## the quick benchmarks; benchmarks/README.md has the long ones
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/overhead.py

system-deps:  ## Debian packages for the tests marked postgres and browser
	@sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	for program in apt-get $$sudo; do command -v $$program >/dev/null || { \
	    echo "There is no $$program here: have $(SYSTEM_PACKAGES) installed, then run make again." >&2; \
	    exit 1; }; done; \
	set -x; $$sudo apt-get update && \
	$$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
	    $(SYSTEM_PACKAGES)

# What `make test` needs; each test starts a server of its own, whatever else runs here.
postgresql:
	@command -v postgres >/dev/null || ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || \
	    $(MAKE) --no-print-directory system-deps SYSTEM_PACKAGES=postgresql

clean:  ## remove what make made
	rm -rf $(VENV) site build dist demo-output .pytest_cache .hypothesis .mypy_cache .ruff_cache .import_linter_cache
	find src tests benchmarks examples -name __pycache__ -type d -prune -exec rm -rf {} +

# The environments ---------------------------------------------------------------------

# A Python counts only if it runs, is new enough and can make an environment: version
# managers put names on the path that do not run, and Debian ships Python without ensurepip.
$(BIN)/python:
	@for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	    if $$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	    then echo "$$python -m venv $(VENV)"; exec $$python -m venv --clear $(VENV); fi; \
	done; \
	echo "Octavo needs Python 3.11 or newer with the venv module, and found none on the path." >&2; \
	echo "Install it (Debian, Ubuntu: apt-get install python3 python3-venv), then run make again." >&2; \
	exit 1

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[tabular]"
	@touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[tabular,green,cluster,postgres,export,serve]" --group dev
	@touch $@
