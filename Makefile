# Everything sets itself up: `make demo` and `make test` work on a fresh checkout.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready
COMPILED := $(wildcard src/honeytrace/*/*.px[dy] src/honeytrace/*/*.h)
COMPILED += $(wildcard $(patsubst %.pxd,%.py,$(filter %.pxd,$(COMPILED))))
VERSIONS := 3.10 3.11 3.12 3.13

.PHONY: demo test test-all lint types docs bench peers durability interop chaos screenshots clean

demo: $(READY)  ## Run the example pipeline on the embedded store and read it back.
	$(PY) examples/rag_pipeline.py

test: $(READY)  ## Run the whole suite in parts, two at a time, with branch coverage; ARGS picks tests.
	@$(PY) -m coverage erase
	$(if $(ARGS),$(PY) -m pytest $(ARGS),$(PY) .ci/suite.py)
	@$(if $(ARGS),,$(PY) -m coverage combine -q && $(PY) -m coverage report --skip-covered --fail-under=$(COVERAGE))

test-all:  ## Run the suite on every interpreter found of $(VERSIONS).
	@./.ci/test-all $(VERSIONS)

lint: $(READY)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

types: $(READY)
	$(VENV)/bin/mypy

docs: $(READY)  ## The documentation site, in docs/_build/html; a warning is an error.
	$(PY) -m pip install --quiet --group docs
	$(PY) -m sphinx -W --keep-going -q -b html docs docs/_build/html

bench: $(READY)  ## Cost per call against a hand-written tracer, in one run.
	$(PY) -m benchmarks $(ARGS)

peers: $(READY)  ## Other tracers, each in an environment of its own, for `make bench` to compare with.
	$(PY) -m benchmarks.peers install

durability: $(READY)  ## What arrives when programs and servers come to a bad end.
	$(PY) -m benchmarks.durability $(ARGS)

interop: $(READY)  ## The official clients, really installed, against `honeytrace serve`.
	$(PY) -m pytest -m interop tests/interop $(ARGS)

chaos: $(READY)  ## Hundreds of kills and a million damaged journals, in two parts: nothing finished is lost.
	$(PY) $(if $(ARGS),-m pytest --full $(ARGS),.ci/suite.py --chaos)

screenshots: $(READY)  ## The pictures in docs/images, taken anew.
	$(PY) scripts/screenshots.py
	$(PY) scripts/notebook_screenshot.py
	$(PY) scripts/terminal_screenshots.py

COVERAGE := 90

$(READY): pyproject.toml setup.py $(COMPILED)
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --upgrade pip
	$(PY) -m pip install --quiet --editable '.[cli,parquet,server]' --group dev
	@touch $(READY)

clean:
	rm -rf .venv .venv-* docs/_build .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage* dist build
	find src -name "*.so" -delete
