"""Every number of a rendered group is explained."""

import pytest
from every import every
from plan_samples import STRATEGIES, plan, profile

from infra.planning import explain, render

DEVICES = ["two-gpu-industrial-pc", "this-machine"]
OUTBOX = {"outbox": {"bucket": "press-results"}}


def numbers(document: dict):
    """(name, value) of every number in functions and loggers, however it is spelled."""
    for function in document["Functions"]:
        configuration = function["FunctionConfiguration"]
        yield "timeout_s", configuration["Timeout"]
        if "MemorySize" in configuration:
            yield "memory_kb", configuration["MemorySize"]
        yield from configuration.get("Environment", {}).get("Variables", {}).items()
    for logger in document["Loggers"]:
        if "Space" in logger:
            yield "space_kb", logger["Space"]


def is_number(value) -> bool:
    return str(value).lstrip("-").replace(".", "", 1).replace(",", "").isdigit()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_number_in_the_group_has_a_reason(strategy, device):
    found = plan(on=profile(device), strategy=strategy, cloud=OUTBOX)

    explained = {(r.subject.split()[-1], r.value) for r in explain(found)}
    missing = {(n, str(v)) for n, v in numbers(render(found)) if is_number(v)} - explained
    assert missing == set()


def test_copies_that_share_a_gpu_by_mps_are_explained_too():
    found = plan(copies_per_gpu=2, mps=True, isolation="none")

    assert ("w0…w3 CUDA_MPS_ACTIVE_THREAD_PERCENTAGE", "50") in {
        (r.subject, r.value) for r in explain(found)
    }


def test_functions_that_share_a_value_share_its_reason():
    reasons = {r.subject: r for r in explain(plan(on=profile("p3.8xlarge")))}

    assert reasons["w0…w3 memory_kb"].why == "(1000000 KB × 1.25 + 65536 KB)"
    assert reasons["w3 GPU_ID"].value == "3"


def test_every_reason_names_a_source():
    assert every(r.why and r.source for r in explain(plan()))
