# Two commands matter: `make demo` and `make test`. Both prepare a fresh Debian-like machine with Python 3.11 by themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUNNABLE := $(VENV)/.runnable
READY := $(VENV)/.ready
ARGS ?=
MINUTES ?= 10
BROKER ?= mosquitto
LONG := $(addprefix tests/hub/test_, $(addsuffix .py, random_histories visit_histories door_histories bookings two_engines_race \
	disclosure_attacks revision_attacks))

.PHONY: demo test check bench campaign pin format clean

demo: $(RUNNABLE)
	@$(BIN)/telecentre-sim demo $(ARGS)

# A file to each worker: tests wait for wires and clocks most of their time. Four at most, for they start whole demos.
test: $(READY)
	@sh tests/prepare.sh
	@$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY)
	@sh tests/prepare.sh
	@$(BIN)/python -m tests.benchmarks $(ARGS)

# Kills and bad lines for so long, then the simulation for as long, and every other test that has a long form;
# TELECENTRE_SEED repeats a plan (docs/campaign.md).
campaign: $(READY)
	@sh tests/prepare.sh
	@$(BIN)/python -m tests.system.campaign $(MINUTES) $(BROKER)
	@TELECENTRE_CAMPAIGN=$(MINUTES) $(BIN)/python -m pytest -s tests/protocol tests/system/campaign
	@TELECENTRE_CAMPAIGN=$(MINUTES) $(BIN)/python -m pytest -s --timeout 7200 $(LONG)

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Writes the pinned files again; uv is taken for this alone and records no index.
pin: $(READY)
	$(BIN)/pip install --quiet uv
	sh requirements/pin.sh $(BIN)/uv

# Two steps into one environment: what the demo needs, then the tools of tests and checks. A changed pin is installed anew.
$(RUNNABLE): requirements/demo.txt requirements/prepare.sh pyproject.toml
	@PYTHON="$(PYTHON)" sh requirements/prepare.sh $(VENV) requirements/demo.txt
	@touch $@

$(READY): requirements/dev.txt $(RUNNABLE)
	@PYTHON="$(PYTHON)" sh requirements/prepare.sh $(VENV) requirements/dev.txt
	@touch $@

clean:
	rm -rf $(VENV) .state .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
