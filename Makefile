# Two commands matter: `make demo` and `make test`. Both prepare a fresh Debian-like machine with Python 3.11 by themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
ARGS ?=
MINUTES ?= 30

.PHONY: demo test check bench campaign pin format clean

demo: $(READY)
	@$(BIN)/telecentre-sim demo $(ARGS)

test: $(READY)
	@CI_STRICT="$${CI:-}" sh tests/prepare.sh
	@$(BIN)/python -m pytest $(ARGS)

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY)
	@sh tests/prepare.sh
	@$(BIN)/python -m tests.benchmarks $(ARGS)

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Writes the pinned files again; uv is taken for this alone and records no index.
pin: $(READY)
	$(BIN)/pip install --quiet uv
	sh requirements/pin.sh $(BIN)/uv

# The marker carries the hash of what it was made from: a changed pin makes the environment again.
$(READY): requirements/dev.txt pyproject.toml
	@PYTHON="$(PYTHON)" sh requirements/prepare.sh $(VENV)
	@touch $@

clean:
	rm -rf $(VENV) .state .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
