# Everything a developer or user does here. `make help` lists it.
SCENARIO ?= scenarios/viral_post_small.yaml
ARGS ?=
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help setup install run up down drill calibrate dashboard check format test test-compose bench bench-engines bench-overload lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## make .venv from the lock file (every target below does it by itself)
	@deploy/bootstrap.sh

install: setup ## install the servers that are missing (system packages, Go modules, Maven artefacts)
	@$(BIN)/windtunnel install

run: install ## simulate SCENARIO, run it on the real stack, compare, report
	@$(BIN)/windtunnel run $(SCENARIO) $(ARGS)

up: install ## start the stack in the background; windtunnel status | logs NAME | down
	@$(BIN)/windtunnel up $(ARGS)

down: setup ## stop the stack
	@$(BIN)/windtunnel down $(ARGS)

drill: install ## run the chaos drill scenarios/drills/redis_slow.yaml
	@$(BIN)/windtunnel drill scenarios/drills/redis_slow.yaml $(ARGS)

calibrate: install ## measure this machine's durations for the model
	@$(BIN)/windtunnel calibrate $(ARGS)

dashboard: setup ## open the dashboard over runs/
	@$(BIN)/windtunnel dashboard $(ARGS)

check: setup ## format, lint, types, import rules
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: setup ## put the code into the house's format
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

test: setup ## all tests, on real servers
	@$(BIN)/windtunnel install --group test
	@deploy/test.sh $(ARGS)

test-compose: setup ## docker-compose.yml for real: up, a photo in a feed, down (needs a Docker engine)
	@$(BIN)/pytest -m compose tests/compose $(ARGS)

bench: install ## benchmarks, side by side ratios
	@$(BIN)/pytest -m bench tests/bench -s $(ARGS)

bench-engines: setup ## how much faster the compiled engine is than SimPy
	@$(BIN)/pytest -m bench tests/bench/test_engines.py -s -q $(ARGS)

bench-overload: install ## goodput past the knee, with admission and without
	@$(BIN)/pytest -m bench tests/bench/test_overload.py -s -q $(ARGS)

lock: setup ## resolve pyproject.toml into requirements.lock (hashes, no addresses: any mirror serves it)
	@uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -q --upgrade pyproject.toml --group dev -o requirements.lock

clean: ## remove what was built here (runs/ and the servers' cache stay)
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
