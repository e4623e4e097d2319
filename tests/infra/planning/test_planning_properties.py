"""What holds for every valid profile and site, whatever the hardware."""

from collections import Counter

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plan_samples import FOOTPRINT, STRATEGIES, site

from contract.topic_filters import subject_problems as problems
from infra.planning import Profile, check, plan_group, render

# A model too big for the device's memory, a pool with more device files than a container may have:
# nothing automatic helps. Every other rule holds for every plan that is left to the planner.
MAY_BREAK = {"FF112", "FF125"}


@st.composite
def profiles(draw):
    """A device: up to eight GPUs whose numbers need not be dense, with or without containers."""
    indexes = draw(st.lists(st.integers(0, 15), max_size=8, unique=True))
    nvidia = draw(st.booleans())
    cores = draw(st.integers(max(2, len(indexes) + 1), 96))
    return Profile.model_validate(
        {
            "name": "drawn",
            "architecture": draw(st.sampled_from(["x86_64", "aarch64"])),
            "cpu_cores": cores,
            "memory_mb": draw(st.integers(4_096, 1_048_576)),
            "gpus": tuple(
                {
                    "index": index,
                    "model": "drawn",
                    "memory_mb": draw(st.integers(2_048, 81_920)),
                    "devices": (f"/dev/nvidia{index}",) if nvidia else (),
                }
                for index in indexes
            ),
            "devices": ("/dev/nvidiactl", "/dev/nvidia-uvm") if nvidia else ("/dev/nvmap",),
            "containers": {"supported": draw(st.booleans())},
            "reserved": {"cores": draw(st.integers(0, min(2, cores - 1)))},
        }
    )


footprints = st.none() | st.builds(
    lambda kb, mb, t, i: FOOTPRINT.model_copy(
        update={
            "memory_kb": kb,
            "gpu_memory_mb": mb,
            "ms": FOOTPRINT.ms.model_copy(update={"transform": t, "inference": i}),
        }
    ),
    st.integers(50_000, 1_000_000),
    st.integers(0, 1_700),
    st.floats(0.5, 100),
    st.floats(0.5, 600),
)
sites = st.builds(
    lambda strategy, cameras, batch, model: site(
        strategy=strategy,
        cameras=tuple({"name": f"cam{i}"} for i in range(cameras)),
        batch=batch,
        model={"s3_uri": "s3://greengrass-a/b.zip"} if model else {},
    ),
    st.sampled_from(STRATEGIES),
    st.integers(1, 6),
    st.integers(1, 32),
    st.just(True),
)
drawn = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@drawn
@given(sites, profiles(), footprints)
def test_gpu_ids_cover_every_gpu_evenly(a_site, device, footprint):
    plan = plan_group(a_site, device, footprint)

    if a_site.strategy in {"pinned", "decoupled"} and device.gpus:
        counts = Counter(int(w.environment["GPU_ID"]) for w in plan.workers)
        assert set(counts) == {gpu.index for gpu in device.gpus}
        assert max(counts.values()) - min(counts.values()) <= 1
    if a_site.strategy == "pool" and device.gpus:
        named = plan.workers[0].environment["FANFOLD_GPU_IDS"]
        assert named == ",".join(str(gpu.index) for gpu in device.gpus)


@drawn
@given(sites, profiles(), footprints)
def test_automatic_copies_fit_each_gpus_memory(a_site, device, footprint):
    plan = plan_group(a_site, device, footprint)

    assert "FF111" not in {finding.code for finding in check(plan)}


@drawn
@given(sites, profiles(), footprints)
def test_automatic_workers_and_threads_fit_the_cores(a_site, device, footprint):
    plan = plan_group(a_site, device, footprint)

    computing = plan.by_role("inference", "pool", "transform")
    used = sum(each.processes * each.threads for each in computing)
    assert used <= device.cpu_cores


@drawn
@given(sites, profiles(), footprints)
def test_functions_have_distinct_qualified_arns_and_subscriptions_name_exactly_those(
    a_site, device, footprint
):
    document = render(plan_group(a_site, device, footprint))

    arns = [each["FunctionArn"] for each in document["Functions"]]
    assert len(set(arns)) == len(arns)
    ours = set(document["Lambdas"])
    assert all(arn.endswith(":live") for arn in ours)
    things = {each["ThingArn"] for each in document["Devices"]}
    named = {each[end] for each in document["Subscriptions"] for end in ("Source", "Target")}
    assert named == ours | things | {"cloud"}


@drawn
@given(sites, profiles(), footprints)
def test_every_topic_in_subscriptions_and_environments_is_valid(a_site, device, footprint):
    plan = plan_group(a_site, device, footprint)

    subjects = [each.subject for each in plan.subscriptions]
    variables = [
        value.removesuffix("/")
        for function in plan.functions
        for key, value in function.environment.items()
        if key.endswith("_TOPIC") and value
    ]
    for topic in subjects + variables:
        assert problems(topic) == []


@drawn
@given(sites, profiles(), footprints)
def test_what_the_splitter_feeds_is_what_gets_its_topics(a_site, device, footprint):
    plan = plan_group(a_site, device, footprint)

    [splitter] = plan.by_role("splitter")
    fed = splitter.environment["FANFOLD_WORKERS"].split(",")
    assert fed == [function.id for function in plan.fed]
    prefix = splitter.environment["FANFOLD_WORK_TOPIC"]
    work = {s.subject: s.target for s in plan.subscriptions if s.subject.startswith(prefix)}
    assert work == {prefix + function.id: function.arn for function in plan.fed}


@drawn
@given(sites, profiles(), footprints)
def test_pinned_functions_stay_within_ten_resources(a_site, device, footprint):
    plan = plan_group(a_site, device, footprint)

    if a_site.strategy != "pool":
        assert max(len(function.policies) for function in plan.functions) <= 10


@drawn
@given(sites, profiles(), footprints)
def test_the_planner_breaks_no_rule_of_its_own(a_site, device, footprint):
    found = check(plan_group(a_site, device, footprint))

    broken = {finding.code for finding in found if finding.level == "error"}
    assert broken <= MAY_BREAK


@drawn
@given(sites, profiles(), footprints)
def test_ids_and_resource_names_are_unique(a_site, device, footprint):
    document = render(plan_group(a_site, device, footprint))

    for kind in ("Functions", "Devices", "Resources", "Subscriptions", "Loggers"):
        ids = [each["Id"] for each in document[kind]]
        assert len(set(ids)) == len(ids)
