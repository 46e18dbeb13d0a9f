# Two commands set everything up: `make demo` and `make test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO ?= demo

.PHONY: help demo test test-long soak check lint types layers services pictures bench lock clean

help: ## Show the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(STAMP): requirements.lock pyproject.toml tools/install
	@PYTHON="$(PYTHON)" tools/install "$(VENV)"
	@touch $@

demo: $(STAMP) ## Run the main job on a generated season and show how good it was
	@$(BIN)/sen4cap demo --folder "$(DEMO)"

test: $(STAMP) services ## Run the tests
	@$(BIN)/pytest -m "not long and not soak" -n 2 --dist worksteal

test-long: $(STAMP) services ## Run the tests that are too slow for every day
	@$(BIN)/pytest -m long

soak: $(STAMP) services ## Kill the engine 400 times and replay 10,000 seasons: about an hour
	@$(BIN)/pytest -m soak

check: lint types layers test ## What must be green before a change lands

lint: $(STAMP)
	@$(BIN)/ruff format --check src tests benchmarks tools
	@$(BIN)/ruff check src tests benchmarks tools

types: $(STAMP)
	@$(BIN)/mypy

layers: $(STAMP)
	@$(BIN)/lint-imports --no-logo

services:
	@tools/services

pictures: $(STAMP) ## Make the pictures of the documentation from a real run
	@$(BIN)/python tools/pictures.py

bench: $(STAMP) ## Compare our speed with a peer's in one run
	@for script in benchmarks/*.py; do $(BIN)/python "$$script"; done

lock: $(STAMP) ## Pin the newest versions that pyproject.toml allows
	@$(BIN)/uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-annotate --no-header pyproject.toml --group dev -o requirements.lock

clean: ## Remove the environment and the demo
	@rm -rf $(VENV) $(DEMO) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
