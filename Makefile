PYTHON ?= python3
BIN := .venv/bin
DEMO := demo

.DEFAULT_GOAL := help
.PHONY: help install demo test test-slow bench lint format docs clean

help:  ## show this help
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

install: .venv/installed  ## make .venv with trainlib and its tested dependencies

demo: install  ## train, test and predict on generated data, a few minutes
	@test -e $(DEMO)/data/train.csv || $(BIN)/trainlib phantom $(DEMO)/data
	$(BIN)/trainlib fit -c configs/demo.yaml data.root=$(DEMO)/data run.root=$(DEMO)/runs

lint: install  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint  ## style, types and the quick tests
	$(BIN)/pytest -n 2 --dist loadfile

test-slow: install  ## the long tests, and those on real data where ../shared/data exists
	$(BIN)/pytest -m slow

bench: install  ## measure how fast trainlib is, and write benchmarks/RESULTS.md
	$(BIN)/python -m benchmarks

format: install  ## let ruff rewrite the code in the project's style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: install  ## write docs/config.md anew from the settings in trainlib/config
	$(BIN)/trainlib schema --markdown > docs/config.md

clean:  ## remove what the demo and the tools made
	rm -rf $(DEMO) .mypy_cache .pytest_cache .ruff_cache
