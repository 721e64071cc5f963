# Everything a person or a machine does with this checkout; each target installs what it needs.
PYTHON       ?= python3.11
VENV         := .venv
BIN          := $(VENV)/bin
SAMPLES      ?= yes
CRASH_ROUNDS ?= 20
TEST_JOBS    ?= 3

.PHONY: run test lint bench quality crash packages clean

run: $(VENV)/.installed    ## start the daemon on loopback, in ./var, and show what becomes of each message
	@$(BIN)/abuse-triage tour --dir var $(if $(filter no,$(SAMPLES)),,--samples tests/corpus)

test: $(VENV)/.dev packages lint    ## everything that must be true
	@$(BIN)/coverage erase
	CRASH_ROUNDS=3 $(BIN)/coverage run -m pytest -n $(TEST_JOBS) --dist loadfile --no-loadscope-reorder
	@$(BIN)/coverage combine --quiet && $(BIN)/coverage report

lint: $(VENV)/.dev    ## style, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.dev packages    ## speed and memory, each against a peer or a limit
	$(BIN)/python benchmarks/run.py

quality: $(VENV)/.dev packages    ## who is acknowledged and who is not: the tables of docs/quality.md
	$(BIN)/python benchmarks/quality.py --write

crash: $(VENV)/.dev packages    ## kill -9 at random moments and at failpoints
	CRASH_ROUNDS=$(CRASH_ROUNDS) $(BIN)/pytest -q -s --timeout=3600 tests/crash

packages:
	@.ci/packages

$(VENV)/bin/pip:
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "Missing: apt-get install -y python3.11 python3.11-venv" >&2; exit 1; }

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/pip
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/pip
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ $(VENV)/.installed

clean:    ## remove what was installed and built; var/ stays
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
