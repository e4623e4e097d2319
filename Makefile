# `make demo` shows the main job; `make test` is what CI runs. Both install what they need.
PY = $(shell scripts/find_python 3.11 3.12 3.13 3.10)
# Functions of a V1 group are python3.8; MXNet has nothing newer than 3.11.
DEVICE_PY = $(shell scripts/find_python 3.8 3.9 3.10 3.11)
BIN := .venv/bin
DEVICE := .venv-device/bin/python
ON_DEVICE := tests/lambdas tests/edgecore/runtime tests/models/device

.PHONY: setup demo test lint unit device-tests soak clean

setup: .venv/.done .venv-device/.done node_modules/.done

.venv/.done: pyproject.toml
	@echo "Installing the tools (about a minute, once) …"
	$(PY) -m venv .venv
	$(BIN)/pip install -q -U pip
	$(BIN)/pip install -q -e '.[dev]'
	@touch $@

.venv-device/.done: requirements-device.txt requirements-device-runtimes.txt
	@echo "Installing what the Lambdas run with (MXNet, ONNX Runtime, OpenVINO, OpenCV) …"
	$(DEVICE_PY) -m venv .venv-device
	.venv-device/bin/pip install -q -U pip
	.venv-device/bin/pip install -q -r requirements-device.txt -r requirements-device-runtimes.txt
	@touch $@

node_modules/.done: package.json package-lock.json
	@echo "Installing the CDK command line …"
	npm ci --no-audit --no-fund --silent
	@touch $@

demo: setup
	$(BIN)/fanfold demo

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint unit device-tests

unit: setup
	$(BIN)/pytest tests $(ON_DEVICE:%=--ignore %) -m 'not soak'

device-tests: setup
	$(DEVICE) -m pytest -c tests/device.ini $(ON_DEVICE) -m 'not soak'

# Hours: see docs/reliability.md. `$(BIN)/python tests/chaos/chaos_report.py` writes its table anew.
soak: setup
	$(BIN)/pytest tests $(ON_DEVICE:%=--ignore %) -m soak
	$(DEVICE) -m pytest -c tests/device.ini $(ON_DEVICE) -m soak

clean:
	rm -rf .venv .venv-device node_modules build cdk.out .fanfold
