# make demo: set up and segment a picture.  make test: set up and check everything.
PYTHON ?= python3
IMAGE ?= docs/street.png
BIN := .venv/bin

.PHONY: demo test clean
demo: .venv/installed
	$(BIN)/segnext predict "$(IMAGE)" --out demo

test: .venv/checks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest

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
	rm -rf .venv demo
