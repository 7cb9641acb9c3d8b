# Everything that README names; each target installs what it needs.
PYTHON ?= python3
VENV   ?= .venv
RUN    := $(VENV)/bin/python
FAULT  ?= hang
ANALYST ?=
PERSONA ?=
RUNS   ?=
KILLS  ?= 100
# Tests wait more than they work, so there are more at once than there are processors.
WORKERS ?= 4
PYTEST := $(RUN) -m pytest --numprocesses $(WORKERS) --dist loadgroup

.DEFAULT_GOAL := help

.PHONY: help
help: ## what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

$(VENV)/.installed: requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: $(PYTHON) is older than 3.11; set PYTHON to a newer one" >&2; exit 1; }
	@echo "environment: $(VENV), from requirements-dev.lock (about a minute)"
	@$(PYTHON) -m venv $(VENV) || { echo "make: no venv module; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@$(RUN) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(RUN) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.PHONY: environment
environment: $(VENV)/.installed ## the development environment in .venv

.PHONY: demo
demo: $(VENV)/.installed ## a real failure, explained (FAULT=hang, ONCE=1, ANALYST=mistral, PERSONA=hang)
	@$(RUN) -m lab.demo --fault $(FAULT) $(if $(ONCE),--once) $(if $(ANALYST),--analyst $(ANALYST)) $(if $(PERSONA),--persona $(PERSONA))

.PHONY: demo-all
demo-all: $(VENV)/.installed ## every lab fault and compound, a table
	@$(RUN) -m lab.demo --all $(if $(ANALYST),--analyst $(ANALYST)) $(if $(PERSONA),--persona $(PERSONA))

.PHONY: personas
personas: $(VENV)/.installed ## every persona of the Mistral stand-in on recorded incidents, a table
	@$(RUN) -m lab.personas

.PHONY: stack
stack: $(VENV)/.installed ## Prometheus, Alertmanager and their tools, found, unpacked or built
	@$(RUN) -m lab.stack

.PHONY: test
test: $(VENV)/.installed ## all tests, on Debian's Prometheus and Alertmanager
	@$(RUN) -m lab.stack --flavour any
	@$(PYTEST) -m "not peers"

.PHONY: chaos
chaos: $(VENV)/.installed ## the long runs: kills, outages, storms, restarts (RUNS="kills-sqlite storm", KILLS=100)
	@$(RUN) -m lab.chaos $(RUNS) --kills $(KILLS)

.PHONY: storm
storm: $(VENV)/.installed ## 10,000 alerts of 400 conditions within a minute, and what they cost
	@$(RUN) -m lab.chaos storm

.PHONY: soak
soak: $(VENV)/.installed ## 10,000 endpoints for ten minutes, one in twenty broken: schedule, memory, reasons
	@$(RUN) -m lab.soak

.PHONY: test-current
test-current: $(VENV)/.installed ## the end-to-end tests on current Prometheus and Alertmanager, built once
	@$(RUN) -m lab.stack --flavour current
	@$(PYTEST) tests/e2e -m "not peers and not chaos" --stack current

.PHONY: test-peers
test-peers: $(VENV)/.installed ## third-party endpoints for real, each in an environment of its own
	@$(RUN) -m pytest tests/e2e -m peers --numprocesses 2 --dist loadfile

.PHONY: lint
lint: $(VENV)/.installed ## style, types, rules, image and compose file, generated files
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .
	@$(RUN) -m mypy
	@sh rules/lint.sh $(RUN)
	@$(VENV)/bin/hadolint deploy/Dockerfile
	@$(VENV)/bin/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml
	@$(RUN) -m grafana.build --check

.PHONY: format
format: $(VENV)/.installed ## the formatter, over all
	@$(RUN) -m ruff check --fix-only --quiet .
	@$(RUN) -m ruff format --quiet .

.PHONY: lock
lock: ## the lock files anew, with hashes and without index addresses (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -q pyproject.toml --extra lab -o requirements.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -q pyproject.toml --extra lab --group dev -c requirements.lock -o requirements-dev.lock

.PHONY: clean
clean: ## what the programs left in this folder
	rm -rf .venv build dist state .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info
