# Every target sets up what it needs: a virtual environment in .venv, from Python 3.11 or later.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
CLIENT := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/fleetspan/claude-client

COLLECTOR_TESTS := tests/collector_processor
IN_SERVER_MODE := $(addprefix $(COLLECTOR_TESTS)/end_to_end/,test_kill.py test_order.py test_protocols.py test_reading.py) \
	$(addprefix $(COLLECTOR_TESTS)/,claude_code/client cli/test_reprice.py cli/test_up.py web/api)

.DEFAULT_GOAL := help
.PHONY: help demo test test-server live bench lint format clean

help: ## Say what there is.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/'

$(VENV)/.ready: pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) is not on the PATH"; echo "because: Fleetspan needs Python 3.11 or later"; echo "try: make PYTHON=python3"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	@echo "installing Fleetspan and its engine (a 181 MB wheel, once)" >&2
	$(BIN)/python -m pip install --quiet --editable '.[server]'
	@touch $@

$(VENV)/.dev: $(VENV)/.ready
	$(BIN)/python -m pip install --quiet --group dev
	@touch $@

$(VENV)/.bench: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --group bench
	@touch $@

demo: $(VENV)/.ready ## Run a believable fleet through real OTLP into the embedded engine, and look at it.
	$(BIN)/fleetspan demo

test: $(VENV)/.dev ## Run the tests, a file at a time in each of two processes.
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

test-server: $(VENV)/.dev ## Run tests of whole collectors with their store in a server.
	FLEETSPAN_TEST_STORE=server $(BIN)/python -m pytest --numprocesses 2 --dist loadfile $(IN_SERVER_MODE)

live: $(VENV)/.dev ## Run the tests with a real client of Claude Code (380 MB, kept in a cache folder), offline.
	$(PYTHON) -m venv $(CLIENT) && $(CLIENT)/bin/python -m pip install --quiet --upgrade claude-agent-sdk && FLEETSPAN_CLAUDE_CLI=$(CLIENT) $(BIN)/python -m pytest tests/collector_processor/claude_code/live

bench: $(VENV)/.bench ## Measure, beside peers, and write bench-results/*.json.
	$(BIN)/python -m tests.benchmarks

lint: $(VENV)/.dev ## Check style, types and the direction of imports.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev ## Put the code in the house style.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## Remove the virtual environment and caches.
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
