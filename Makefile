# Every command a person or CI needs; `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help setup services check test prove demo bench flash lock clean

help: ## list these commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

setup: $(VENV)/.dev ## make the virtual environment with everything for development

$(VENV)/bin/python:
	@echo "making a virtual environment in $(VENV) ..."
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "python3 cannot make a virtual environment: apt-get install python3-venv, then try again"; exit 1; }

$(VENV)/.demo: requirements/demo.txt pyproject.toml | $(VENV)/bin/python
	@echo "installing what the demo needs ..."
	@$(BIN)/pip install -q --require-hashes -r requirements/build.txt -r requirements/demo.txt
	@$(BIN)/pip install -q --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements/dev.txt pyproject.toml | $(VENV)/bin/python
	@echo "installing what development needs ..."
	@$(BIN)/pip install -q --require-hashes -r requirements/dev.txt
	@$(BIN)/pip install -q --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/.demo

services: ## install the real broker, browser and JavaScript engine that the tests use (Debian, as root)
	@bash .ci/services

check: $(VENV)/.dev ## style, types, import rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/python -m ingest_service.text.check

test: $(VENV)/.dev services ## every test that takes less than five minutes in all
	@$(BIN)/pytest

prove: $(VENV)/.dev services ## the long proofs: kills over the whole chain, a million damaged lines
	@$(BIN)/pytest -n 0 -m prove --timeout 3000

demo: $(VENV)/.demo ## a village on this machine: nodes, gateway, broker, server, pages
	@$(BIN)/monuoc demo

bench: $(VENV)/.dev services ## measure speed, sizes and writes; prints one JSON object
	@$(BIN)/python -m bench

flash: $(VENV)/.dev ## copy the node's program to a connected board (PORT=/dev/ttyACM0)
	@bash firmware_scripts/flash.sh $(PORT)

lock: $(VENV)/bin/python ## lock the newest allowed packages with their hashes
	@$(BIN)/pip install -q uv
	@for extra in build gateway server demo dev; do \
		echo "locking $$extra"; \
		$(BIN)/uv pip compile -q pyproject.toml --extra $$extra --universal --python-version 3.11 \
			--generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-package monuoc -o requirements/$$extra.txt; \
	done

clean: ## remove what can be made again
	@rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis var
