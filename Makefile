# make demo: set up and segment a picture.  make test: set up and check everything but the long tests.
# make test-all: the long tests too.  make docs: the documentation, in site/.  make release: wheel and sdist, tried.
PYTHON ?= python3
IMAGE ?= docs/street.png
BIN := .venv/bin

.PHONY: demo test types tests test-all docs release clean
demo: .venv/installed
	$(BIN)/segnext predict "$(IMAGE)" --out demo

test: .venv/checks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(MAKE) --jobs=2 types tests

types:  # one process, so beside the tests
	$(BIN)/mypy

tests:
	$(BIN)/pytest -n auto

test-all: .venv/checks
	$(BIN)/pytest -n auto -m "long or not long"

docs: .venv/checks
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[docs]'
	$(BIN)/mkdocs build --strict

release: .venv/installed
	$(BIN)/pip install --quiet build
	$(BIN)/python release.py

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("Python 3.10 or newer is needed; set PYTHON=...") if sys.version_info < (3, 10) else None'
	$(PYTHON) -m venv .venv
	@echo "installing into .venv, once; this takes some minutes"
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[fast]'
	touch $@

.venv/checks: .venv/installed
	@echo "installing what the checks need, once"
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf .venv demo dist site
