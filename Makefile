# `make run` serves, `make test` runs every test; both set up what they need first.

SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
INSTALL := $(BIN)/python -m pip --disable-pip-version-check install --quiet
INSTALLED := $(VENV)/installed

export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help setup run test check openapi bench lock

help:  ## what you read now
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 18

setup: $(INSTALLED)  ## install all that is needed into .venv

$(INSTALLED): requirements.lock pyproject.toml
	@$(or $(PYTHON),python3) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "Python 3.11 or newer is needed: make setup PYTHON=/path/to/python3"; exit 1; }
	@echo "Setting up $(VENV) (about a minute) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }
	@$(INSTALL) --require-hashes -r requirements.lock
	@$(INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

run: setup  ## start PostgreSQL, migrate, serve with reload
	@exec kingpost dev

test: setup  ## run every test; ARGS go to pytest, WORKERS is a number
	@coverage erase
	@pytest -n $(or $(WORKERS),2) --cov --cov-report= --cov-fail-under=0 $(ARGS)

check: setup  ## lint, types, import rules, lock
	ruff check .
	ruff format --check .
	mypy
	lint-imports
	python scripts/lock.py --check

openapi: setup  ## write openapi.json
	@kingpost openapi --output openapi.json
	@echo "openapi.json written"

bench: setup  ## measure what the service can do
	@echo "There are no benchmarks yet."

lock: setup  ## write requirements.lock from pyproject.toml
	@python scripts/lock.py
