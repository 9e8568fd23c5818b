# Needs Python 3.11 or later with venv, make and git; everything else is installed into .venv.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: demo test check bench docs clean

demo: $(VENV)/installed build/demo.img
	@echo '$$ pvgrub-sim boot demo.img'
	@cd build && ../$(BIN)/pvgrub-sim boot --allow-fallback demo.img

test: $(VENV)/test
	$(BIN)/pytest

check: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(VENV)/dev
	$(BIN)/python bench/run.py

docs: $(VENV)/docs
	$(BIN)/mkdocs build --strict

build/demo.img: fixtures/images/demo.img.zst $(VENV)/installed
	@mkdir -p build
	@$(BIN)/python fixtures/unpack.py $< $@

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/test: pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[test]'
	@touch $@

$(VENV)/dev: pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

$(VENV)/docs: pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[docs]'
	@touch $@

clean:
	rm -rf $(VENV) build dist
