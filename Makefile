# `make run` serves, `make test` runs every test; both set up what they need first.

SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
INSTALL := $(BIN)/python -m pip --disable-pip-version-check install --quiet
INSTALLED := $(VENV)/installed

export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help setup run test faults check openapi bench guard lock

help:  ## what you read now
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 18

setup: $(INSTALLED)  ## install all that is needed into .venv

$(INSTALLED): requirements.lock pyproject.toml
	@$(or $(PYTHON),python3) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "Python 3.11 or newer is needed: make setup PYTHON=/path/to/python3"; exit 1; }
	@echo "Setting up $(VENV) (about a minute) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }
	@$(INSTALL) --require-hashes --no-deps -r requirements.lock
	@$(INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

run: setup  ## start PostgreSQL, migrate, serve with reload
	@exec kingpost dev

test: setup  ## run every test; ARGS go to pytest, WORKERS is a number
	@coverage erase
	@python -m compileall -q src
	@pytest -n $(or $(WORKERS),3) --dist worksteal --cov --cov-report= --cov-fail-under=0 $(ARGS)

faults: setup  ## break database, network and processes under load, on both drivers
	@pytest tests/faults --faults-long -v $(ARGS)

check: setup  ## lint, types, import rules, lock
	ruff check .
	ruff format --check .
	mypy
	lint-imports
	python scripts/lock.py --check

openapi: setup  ## write openapi.json
	@kingpost openapi --output openapi.json
	@echo "openapi.json written"

bench: setup  ## measure the service beside others; ARGS such as --only kingpost,starlette
	@python -m benchmarks.service $(ARGS)

guard: setup  ## compare what a request costs with the committed ratios
	@python -m benchmarks.guard $(ARGS)

lock: setup  ## write the locks of the project and of the benchmarks
	@python scripts/lock.py
