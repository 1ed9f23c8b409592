# A newcomer needs `make demo` and `make test`. Nothing is installed outside of this folder.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Every package is checked against the hash in its lock. Few come as source: they are built with the
# setuptools of requirements-build.lock, and with nothing that a build would fetch by itself.
INSTALL := -m pip install --quiet --disable-pip-version-check
HASHED := $(INSTALL) --require-hashes --no-build-isolation
READERS := .readers
OFFSET ?= 0
ROUNDS ?= 54

.DEFAULT_GOAL := help
.PHONY: help setup demo day test lint map laws jobs bench bench-short bench-latency bench-pressure clean lock cluster cluster-down test-cluster test-systems test-readers faults lake-rounds embedded-kills faults-short foreign fuzz mutants soak audit audit-short sbom object-stores

help: ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(READY) ## install the tested versions into .venv

$(READY): requirements.lock requirements-build.lock pyproject.toml setup.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python $(HASHED) -r requirements-build.lock
	$(BIN)/python $(HASHED) -r requirements.lock
	$(BIN)/python $(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $(READY)

demo: $(READY) ## run the main job on a simulated city: no Java, no Docker, no network
	$(BIN)/tocsin demo

test: $(READY) ## run the tests (17 minutes on 2 cores)
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow" tests --ignore tests/cluster --ignore tests/readers
	$(BIN)/tocsin test jobs/*.yaml

cluster: $(READY) ## start a real Kafka and a real Flink on this machine (needs Java 17 and Maven; OFFSET moves the ports)
	$(BIN)/python -m infra.cluster up --offset $(OFFSET)

cluster-down: $(READY) ## stop them; their data stays in .cluster
	$(BIN)/python -m infra.cluster down --offset $(OFFSET)

test-cluster: $(READY) ## run the tests that need a real Kafka and a real Flink (starts its own)
	$(BIN)/python -m pytest tests/cluster -m "not slow"

test-systems: $(READY) ## compare lakes on Flink for the jobs that test-cluster leaves out (10 minutes)
	$(BIN)/python -m pytest tests/cluster/test_same_lake.py -m slow

test-readers: $(READY) $(READERS)/.ready ## open the lakes of the six jobs with GeoPandas, DuckDB spatial and Spark (needs Java 17; 1 GB)
	TOCSIN_READERS=$(CURDIR)/$(READERS)/bin/python $(BIN)/python -m pytest tests/readers

$(READERS)/.ready: requirements-readers.lock requirements-build.lock
	$(PYTHON) -m venv $(READERS)
	$(READERS)/bin/python $(HASHED) -r requirements-build.lock
	$(READERS)/bin/python $(HASHED) -r requirements-readers.lock
	@touch $@

faults: $(READY) ## run at least 50 rounds of random faults on a real cluster, each verified (SEED repeats a run)
	$(BIN)/python -m tests.faults --rounds $(ROUNDS) $(if $(SEED),--seed $(SEED)) --page docs/reports/faults.md
	$(MAKE) lake-rounds

lake-rounds: $(READY) ## run 200 random rounds and every power loss on a lake, without a cluster (30 minutes; SEED repeats)
	$(BIN)/python -m tests.lake.rounds --rounds 200 --seed $(or $(SEED),1) --page docs/reports/lake_rounds.md
	$(BIN)/python -m pytest -q tests/lake/test_power_loss.py

embedded-kills: $(READY) ## kill each of the seven jobs 50 times on the embedded engine, without a cluster (20 minutes)
	TOCSIN_KILLS=50 $(BIN)/python -m pytest -q tests/engines/embedded/test_kills.py

faults-short: $(READY) ## run the faults that every change is tested with
	$(BIN)/python -m tests.faults --short

# What a stranger, a sensor or a changed download could do: what needs no cluster comes first.
GUARDS := $(wildcard tests/compiler/test_strangers.py tests/compiler/test_exhaustion.py \
	tests/cli/test_hostile_output.py tests/foundation/sandbox tests/hostile tests/infra tests/lake/test_lake_query.py)
GUARDED := $(wildcard tests/cluster/test_security.py tests/cluster/test_ports.py)

audit: audit-short ## check what Tocsin is built of, and run every security test (needs Java 17 and Maven)
	$(BIN)/python -m infra.cluster fetch
	$(BIN)/python -m pytest -q -n 2 --dist worksteal $(GUARDS)
	$(BIN)/python -m pytest -q $(GUARDED)

audit-short: $(READY) sbom ## check installed versions, licences and the page of dependencies (seconds)
	$(BIN)/python -m infra.audit check

sbom: $(READY) ## write the bill of materials of packages and jars in CycloneDX: dist/tocsin.cdx.json
	$(BIN)/python -m infra.audit sbom

foreign: $(READY) ## read the test files of fastavro and pyarrow (fetches fastavro's source)
	$(BIN)/python -m tests.foreign.fetch
	$(BIN)/python -m pytest -q tests/foreign tests/parts/files/test_foreign_files.py

fuzz: $(READY) ## decode 120,000 valid, damaged and random messages of every type (under 5 minutes)
	TOCSIN_FUZZ=120000 $(BIN)/python -m pytest -q tests/kernels/avro/test_total.py tests/kernels/avro/test_total_json.py

mutants: $(READY) ## change the code in 120 places and see whether tests notice (under an hour; SEED=n for another sample)
	$(BIN)/python -m tests.mutation --seed $(or $(SEED),1) --page docs/reports/mutants.md

soak: $(READY) ## run 20 minutes at 20,000 records/s: checkpoint size, heap and memory, with a plot
	$(BIN)/python -m benchmarks.soak

day: $(READY) ## run a simulated day of 20,000 sensors through the six jobs, with a page
	$(BIN)/python -m benchmarks.day --page docs/reports/day.md

lint: $(READY) ## check style, spelling and strict types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/mypy

map: $(READY) ## show which folder imports which, as a table and as docs/imports.svg
	$(BIN)/python -m tests.shape.imports --svg docs/imports.svg

laws: $(READY) ## run the laws that every part must obey
	$(BIN)/tocsin laws

jobs: $(READY) ## check all jobs and run the tests inside them
	$(BIN)/tocsin check jobs/*.yaml
	$(BIN)/tocsin test jobs/*.yaml

bench: $(READY) ## run every contender on the same messages (needs Java and Maven; an hour)
	$(BIN)/python -m benchmarks

bench-short: $(READY) ## run the benchmark that every change is tested with: fails only under half of a bar
	$(BIN)/python -m benchmarks.short

bench-latency: $(READY) ## measure from a reading in Kafka to its alarm in Kafka, with a page and a plot
	$(BIN)/python -m benchmarks.latency

bench-pressure: $(READY) ## measure memory under a backlog, a fast producer and a slow sink, with a page and a plot
	$(BIN)/python -m benchmarks.pressure

LOCK := $(BIN)/uv pip compile --quiet --generate-hashes --python-version 3.11 \
	--no-annotate --no-header --no-emit-index-url --no-emit-find-links
lock: $(READY) ## rewrite the locks with their hashes; UPGRADE=--upgrade takes the newest versions
	$(LOCK) $(UPGRADE) pyproject.toml --extra dev -o requirements.lock
	$(LOCK) $(UPGRADE) pyproject.toml --extra detectors --extra geo --extra s3 -c requirements.lock -o requirements-workers.lock
	$(LOCK) $(UPGRADE) --group pyproject.toml:build -o requirements-build.lock
	$(LOCK) $(UPGRADE) requirements-readers.txt -o requirements-readers.lock

# Its go.mod replaces a module, so `go install` refuses it; its source is built as the main module.
WEED := v0.0.0-20261109003541-7506e5f91cd6
VERSITYGW := v1.8.0
TOOLS := $(or $(TOCSIN_TOOLS),.tools)
object-stores: ## build versitygw and SeaweedFS, with which tests of lakes run too (needs Go 1.26; 20 minutes)
	mkdir -p $(TOOLS)
	GOBIN="$(abspath $(TOOLS))" go install github.com/versity/versitygw/cmd/versitygw@$(VERSITYGW)
	rm -rf build/seaweedfs && mkdir -p build
	go mod download github.com/seaweedfs/seaweedfs@$(WEED)
	cp -r "$$(go env GOMODCACHE)/github.com/seaweedfs/seaweedfs@$(WEED)" build/seaweedfs
	chmod -R u+w build/seaweedfs
	cd build/seaweedfs && go build -o "$(abspath $(TOOLS))/weed" ./weed

clean: ## remove everything that was made here
	rm -rf $(VENV) $(READERS) demo-output build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
