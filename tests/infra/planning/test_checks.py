"""Every rule has a plan that breaks it, and the message says value, limit and remedy."""

from dataclasses import replace

import pytest
from plan_samples import FOOTPRINT, STRATEGIES, plan, profile

from infra.planning import Plan, check, errors
from infra.planning.brokers_beside import MOQUETTE
from infra.planning.checks import RULES
from infra.planning.findings import by_weight
from infra.planning.model import DeviceNode, Policy, Subscription

GPU_BOX = profile()
CPU_BOX = profile("cpu-gateway-4core", cpu_cores=64, memory_mb=262_144)
NO_CONTAINERS = profile("this-machine")


def with_function(plan: Plan, index: int = 1, **changed) -> Plan:
    functions = list(plan.functions)
    functions[index] = replace(functions[index], **changed)
    return replace(plan, functions=tuple(functions))


def footprint(**changed):
    return {"footprint": {**FOOTPRINT.model_dump(), **changed}, "s3_uri": "s3://greengrass-a/b.zip"}


def many_cameras(count):
    return tuple({"name": f"cam{i}"} for i in range(count))


def duplicate_function(found):
    return replace(found, functions=(*found.functions, found.functions[1]))


def alerting(when: str) -> dict:
    return {"rules": ({"name": "a", "when": when},)}


BROKEN = {
    "FF101": lambda: with_function(plan(), arn="arn:aws:lambda:eu-west-1:1:function:f:$LATEST"),
    "FF102": lambda: duplicate_function(plan()),
    "FF103": lambda: plan(name="s" * 41, core={"thing": "c" * 124}),
    "FF104": lambda: with_function(plan(), arn="arn:aws:lambda:eu-west-1:1:function:other:live"),
    "FF105": lambda: replace(
        plan(), subscriptions=tuple(s for s in plan().subscriptions if ":ack:" not in s.id)
    ),
    "FF106": lambda: replace(
        plan(),
        subscriptions=(*plan().subscriptions, Subscription("x", "cloud", "t/" * 8 + "t", "cloud")),
    ),
    "FF107": lambda: replace(
        plan(),
        subscriptions=plan().subscriptions
        + tuple(Subscription(f"c{i}", "cloud", "t", plan().functions[0].arn) for i in range(51)),
    ),
    "FF110": lambda: plan(workers=1),
    "FF111": lambda: plan(copies_per_gpu=8),
    "FF112": lambda: plan(model=footprint(memory_kb=16_000_000)),
    "FF113": lambda: plan(workers=9),
    "FF114": lambda: plan(
        on=profile(devices=(), gpus=({"index": 0, "model": "T4", "memory_mb": 15360},))
    ),
    "FF115": lambda: plan(mps=True),
    "FF120": lambda: plan(on=CPU_BOX, workers=19),
    "FF116": lambda: plan(on=profile(shared_memory_mb=0), strategy="decoupled"),
    "FF121": lambda: plan(on=CPU_BOX, strategy="on_demand", workers=26),
    "FF122": lambda: plan(on=NO_CONTAINERS, isolation="container"),
    "FF123": lambda: with_function(plan(), policies=(Policy("model", None),)),
    "FF124": lambda: with_function(plan(), memory_kb=900),
    "FF125": lambda: with_function(plan(), policies=(Policy("model", "ro"),) * 11),
    "FF126": lambda: plan(volumes={"images": "/var/lib/images", "state": "/srv/state"}),
    "FF127": lambda: plan(volumes={"images": "/srv/press", "state": "/srv/press/state"}),
    "FF130": lambda: plan(cameras=many_cameras(2_500)),
    "FF131": lambda: plan(on=CPU_BOX, workers=3, window=64),
    "FF132": lambda: plan(batch=32, window=32),
    "FF140": lambda: plan(model={}),
    "FF141": lambda: plan(model={"s3_uri": "s3://mine/model.zip"}),
    "FF142": plan,
    "FF143": lambda: plan(spooler={"max_size_bytes": 262_143}),
    "FF144": lambda: replace(plan(), system_functions=plan().system_functions[:1]),
    "FF150": lambda: plan(max_wait_s=1),
    "FF151": lambda: plan(timeouts={"worker_s": 4}),
    "FF153": lambda: plan(profile(memory_mb=8_192), canary={"workers": 16}),
    "FF154": lambda: plan(target="iot", canary={}),
    "FF160": lambda: plan(target="v2"),
    "FF161": lambda: plan(core={"group": "boxes"}),
    "FF163": lambda: plan(target="v2", components={"beside": {MOQUETTE: {"version": "2.3.7"}}}),
    "FF164": lambda: plan(target="v2", isolation="container"),
    "FF166": lambda: plan(target="v2"),
    "FF167": lambda: plan(target="v2", model={"s3_uri": "s3://greengrass-a/$(id).zip"}),
    "FF168": lambda: plan(
        target="v2",
        components={"beside": {"fanfold.press.Core": {"version": "1.0.0"}}},
    ),
    "FF177": lambda: plan(
        core={"thing": "t-core", "bundle": "fanfold-0.2.0-0123456789-x86_64-py3.11-openvino.tar"}
    ),
    "FF201": lambda: plan(strategy="on_demand"),
    "FF202": plan,
    "FF203": plan,
    "FF204": lambda: plan(model={"s3_uri": "s3://greengrass-a/b.zip"}),
    "FF206": lambda: plan(strategy="decoupled"),
    "FF210": lambda: plan(alerts=alerting("worker_down")),
    "FF211": lambda: plan(alerts=alerting("cloud_link")),
    "FF212": lambda: plan(alerts=alerting("worker_down")),
    "FF213": lambda: plan(history={"samples": {"rules": ({"name": "a", "disagreement": True},)}}),
    "FF205": lambda: plan(on=profile("cpu-gateway-4core"), workers=1, threads=1),
}


def test_every_rule_has_a_plan_that_breaks_it():
    assert {rule.code for rule in RULES} == set(BROKEN)


def test_codes_are_unique():
    assert len({rule.code for rule in RULES}) == len(RULES)


@pytest.mark.parametrize("code", sorted(BROKEN))
def test_a_broken_rule_is_reported_with_subject_message_and_remedy(code):
    found = [finding for finding in check(BROKEN[code]()) if finding.code == code]

    assert found
    for finding in found:
        assert finding.subject
        assert finding.message.endswith(".")
        assert finding.remedy


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_plain_site_breaks_no_rule(strategy):
    assert errors(check(plan(strategy=strategy))) == []


def only(code: str, found: Plan) -> str:
    return "\n".join(str(finding) for finding in check(found) if finding.code == code)


def test_more_copies_than_gpu_memory_says_how_many_fit():
    assert only("FF111", plan(copies_per_gpu=8)) == (
        "FF111 error: GPU 0 of profile two-gpu-industrial-pc: 8 model copies × 1100 MB = 8800 MB, "
        "7936 MB available (8192 − 256 reserved). "
        "Use at most 7 copies per GPU (copies_per_gpu, workers).\n"
        "FF111 error: GPU 1 of profile two-gpu-industrial-pc: 8 model copies × 1100 MB = 8800 MB, "
        "7936 MB available (8192 − 256 reserved). "
        "Use at most 7 copies per GPU (copies_per_gpu, workers)."
    )


def test_rings_that_do_not_fit_shared_memory_are_refused_with_the_ways_out():
    small = profile(shared_memory_mb=10)

    assert only("FF116", plan(on=small, strategy="decoupled", transforms=3)) == (
        "FF116 error: profile two-gpu-industrial-pc: 3 transforms keep 37 MB of tensors in "
        "/dev/shm, 10 MB available. Enlarge /dev/shm and shared_memory_mb, lower transforms, or "
        "use strategy: pinned."
    )
    assert only("FF116", plan(on=small)) == ""


def test_decoupled_is_advised_against_where_it_gains_nothing():
    slow = footprint(ms={"transform": 90.0, "inference": 35.0})

    assert "hides behind the network (35 ms)" in only("FF206", plan(strategy="decoupled"))
    assert "share the same cores" in only("FF206", plan(on=CPU_BOX, strategy="decoupled"))
    assert only("FF206", plan(strategy="decoupled", model=slow)) == ""


def test_transforms_that_share_a_worker_wait_for_one_another():
    many = {"workers": 2, "batch": 16, "window": 24}

    assert only("FF132", plan(**many)) == ""
    assert "takes 30.7 s" in only("FF132", plan(strategy="decoupled", transforms=4, **many))


def test_a_model_that_fits_no_gpu_says_so():
    assert "Use a smaller model or a bigger GPU." in only(
        "FF111", plan(model=footprint(gpu_memory_mb=9_000))
    )


def test_twenty_one_containers_are_refused_with_the_ways_out():
    assert only("FF120", plan(on=CPU_BOX, workers=19)) == (
        "FF120 error: site press: 21 containers, 20 allowed. "
        "Use at most 18 workers, strategy: pool, or isolation: none."
    )


def test_twenty_containers_are_allowed():
    assert only("FF120", plan(on=CPU_BOX, workers=18)) == ""


@pytest.mark.parametrize("way_out", [{"strategy": "pool"}, {"isolation": "none"}])
def test_the_ways_out_of_the_container_limit_work(way_out):
    assert errors(check(plan(on=CPU_BOX, workers=19, **way_out))) == []


def test_a_profile_may_raise_the_container_limit():
    device = profile("cpu-gateway-4core", cpu_cores=64, memory_mb=262_144, containers={"limit": 64})

    assert only("FF120", plan(on=device, workers=19)) == ""


def test_an_idle_gpu_is_named():
    assert only("FF110", plan(workers=1)) == (
        "FF110 error: site press: 1 workers leave GPU 1 idle. "
        "Set workers to at least 2, or remove the GPU from the profile."
    )


def test_too_many_threads_are_added_up():
    found = plan(on=profile("cpu-gateway-4core"), workers=2, threads=3)

    assert only("FF113", found) == (
        "FF113 error: profile cpu-gateway-4core: 2 workers × 3 threads = 6, 4 cores available. "
        "Lower workers, threads or transforms in the site."
    )


def test_a_pool_over_eight_gpus_has_too_many_resources_for_one_container():
    gpus = tuple(
        {"index": i, "model": "T4", "memory_mb": 15360, "devices": (f"/dev/nvidia{i}",)}
        for i in range(8)
    )
    big = profile("p3.8xlarge", gpus=gpus)

    assert "uses 14 resources, 10 allowed." in only("FF125", plan(on=big, strategy="pool"))
    assert errors(check(plan(on=big))) == []


def test_shared_memory_is_the_one_volume_below_dev():
    assert only("FF126", plan(strategy="decoupled")) == ""


def test_a_shared_memory_file_is_no_device():
    found = plan()
    broken = replace(found, resources=(*found.resources, DeviceNode(id="x", path="/dev/shm/x")))

    assert "memory, not a device" in only("FF126", broken)


def test_volume_rules_do_not_bind_functions_without_containers():
    volumes = {"images": "/var/lib/images", "state": "/srv/state"}

    assert only("FF126", plan(volumes=volumes, isolation="none")) == ""


def test_a_bucket_with_a_dot_is_refused():
    found = plan(model={"s3_uri": "s3://greengrass.models/b.zip"})

    assert "bucket greengrass.models has a dot." in only("FF140", found)


def test_all_broken_rules_come_together_with_errors_first():
    found = check(
        plan(
            workers=9,
            model={},
            spooler={"max_size_bytes": 1},
            volumes={"images": "/var/a", "state": "/var/a"},
        )
    )

    assert {"FF113", "FF126", "FF127", "FF140", "FF143"} <= {f.code for f in errors(found)}
    assert found == by_weight(found)
    levels = [finding.level for finding in found]
    assert levels == sorted(levels, key=["error", "warning", "info"].index)


@pytest.mark.parametrize(("max_wait_s", "gaps"), [(5.9, True), (6.0, False)])
def test_a_wait_shorter_than_a_workers_loss_takes_is_said_with_the_shortest_that_is_not(
    max_wait_s, gaps
):
    found = only("FF150", plan(max_wait_s=max_wait_s))

    assert ("after 6 s" in found) == gaps
