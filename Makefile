# `make demo` shows the main job; `make test` is what CI runs. Both install what they need.
PY ?= $(shell for p in python3.13 python3.12 python3.11 python3.10 python3; do $$p -c 'import sys; sys.exit(sys.version_info < (3,10))' 2>/dev/null && echo $$p && break; done)
DEVICE_PY ?= $(shell for p in python3.8 python3.9 python3.10 python3.11; do $$p -c 'import sys' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin

.PHONY: setup test lint unit device-tests demo soak clean
setup: .venv/.done .venv-device/.done node_modules/.done

.venv/.done: pyproject.toml
	$(PY) -m venv .venv
	$(BIN)/pip install -q -U pip
	$(BIN)/pip install -q -e '.[dev]'
	touch $@

.venv-device/.done: requirements-device.txt
	$(DEVICE_PY) -m venv .venv-device
	.venv-device/bin/pip install -q -U pip
	.venv-device/bin/pip install -q -r requirements-device.txt pytest hypothesis
	touch $@

node_modules/.done: package.json package-lock.json
	npm ci --no-audit --no-fund --silent
	touch $@

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint unit device-tests

unit: setup
	$(BIN)/pytest tests --ignore tests/lambdas --ignore tests/runtime -m 'not soak'

device-tests: setup
	.venv-device/bin/python -m pytest -o addopts= -o timeout= tests/lambdas tests/runtime

soak: setup
	$(BIN)/pytest tests -m soak
