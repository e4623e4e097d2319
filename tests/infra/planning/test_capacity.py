import pytest
from hypothesis import given
from hypothesis import strategies as st
from plan_samples import FOOTPRINT, STRATEGIES, plan, profile

from infra.planning import estimate
from infra.planning.capacity import PATH_MS, capacity

CPU = profile("cpu-gateway-4core")


def times(transform, inference):
    ms = {"transform": transform, "inference": inference}
    return {
        "s3_uri": "s3://greengrass-a/b.zip",
        "footprint": {**FOOTPRINT.model_dump(), "ms": ms},
    }


@pytest.mark.parametrize(
    ("transform", "rate", "bottleneck"),
    [(10.0, 50.0, "2 GPUs"), (80.0, 25.0, "2 cores for the transform")],
)
def test_on_gpus_the_slower_stage_decides(transform, rate, bottleneck):
    found = estimate(plan(model=times(transform, 40.0), workers=2))

    assert (found.images_per_s, found.bottleneck) == (rate, bottleneck)


def test_more_copies_on_a_gpu_hide_the_transform_and_do_not_speed_the_gpu_up():
    slow = estimate(plan(model=times(60.0, 40.0), copies_per_gpu=1))
    hidden = estimate(plan(model=times(60.0, 40.0), copies_per_gpu=2))

    assert (slow.images_per_s, hidden.images_per_s) == (33.3, 50.0)


def test_a_worker_on_a_cpu_decodes_on_a_core_that_is_free():
    assert estimate(plan(on=CPU, model=times(10.0, 40.0))).images_per_s == 75.0


def test_where_no_core_is_free_stages_and_path_share_them():
    full = profile("cpu-gateway-4core", reserved={"cores": 0})

    found = capacity(plan(on=full, model=times(10.0, 40.0)), path_ms=2.0)

    assert found == (round(4000 / 52, 1), "4 cores")


@pytest.mark.parametrize(("workers", "network_ms"), [(1, 40.0), (2, 44.0), (4, 52.0)])
def test_copies_take_caches_from_one_another_as_far_as_cores_are_busy(workers, network_ms):
    full = profile("cpu-gateway-4core", reserved={"cores": 0})
    model = times(1.0, 40.0)
    model["footprint"]["ms"]["inference_beside"] = 52.0

    found, _ = capacity(plan(on=full, model=model, workers=workers, threads=1), path_ms=0.0)

    on_cores = 4000 / (1.0 + network_ms)
    assert found == round(min(workers * 1000 / network_ms, on_cores), 1)


@pytest.mark.parametrize(
    ("workers", "ms", "measured"),
    [
        (1, (6.5, 112.3), 8.89),  # int8: 8.88 and 8.90 images/s
        (2, (6.5, 112.3), 15.9),  # 15.6 and 16.2
        (1, (8.0, 465.0), 2.20),  # fp32: 2.20 and 2.20
        (2, (8.0, 465.0), 4.17),  # 4.25 and 4.17
    ],
)
def test_on_two_idle_cores_it_is_what_was_measured(workers, ms, measured):
    """`bench.asked` on an AMD EPYC, 2026-11-30; times of the same network on the same machine."""
    two = profile("cpu-gateway-4core", cpu_cores=2, reserved={"cores": 0})

    found = estimate(plan(on=two, model=times(*ms), workers=workers, threads=1)).images_per_s

    assert found == pytest.approx(measured, rel=0.1)


def test_eight_gpus_on_two_cores_are_what_the_cores_allow():
    gpus = [{"index": i, "model": "simulated", "memory_mb": 16384} for i in range(8)]
    two = profile(cpu_cores=2, reserved={"cores": 0}, gpus=tuple(gpus))

    found = estimate(plan(on=two, model=times(6.3, 35.0), workers=8))

    # 216 and 219 images/s of 229 that the accelerators could do: as above.
    assert found.images_per_s == pytest.approx(218, rel=0.1)
    assert found.bottleneck == "2 cores"


DEVICES = (CPU, profile())
MS = st.floats(0.5, 500.0)


@given(st.sampled_from(DEVICES), st.sampled_from(STRATEGIES), MS, MS, st.floats(0.1, 20.0))
def test_no_more_is_claimed_than_the_cores_and_the_networks_can_do(
    device, strategy, transform, inference, path_ms
):
    made = plan(on=device, strategy=strategy, model=times(transform, inference))

    rate, _ = capacity(made, path_ms)

    on_cores = transform + path_ms + (0 if device.accelerators else inference)
    places = len(device.accelerators) or device.cpu_cores
    assert rate <= device.cpu_cores * 1000 / on_cores + 0.1
    assert rate <= places * 1000 / inference + 0.1


@given(st.sampled_from(DEVICES), st.sampled_from(("pinned", "pool")), MS, MS, st.floats(1.0, 3.0))
def test_nothing_that_takes_longer_makes_a_plan_faster(
    device, strategy, transform, inference, longer
):
    """With workers that are told: automatic ones follow the times."""
    workers = len(device.accelerators) or device.usable_cores

    def rate(transform, inference, path_ms):
        model = times(transform, inference)
        made = plan(on=device, strategy=strategy, model=model, workers=workers, threads=1)
        return capacity(made, path_ms)[0]

    known = rate(transform, inference, PATH_MS)

    assert rate(transform * longer, inference, PATH_MS) <= known
    assert rate(transform, inference * longer, PATH_MS) <= known
    assert rate(transform, inference, PATH_MS * longer) <= known


def test_on_demand_uses_one_gpu():
    found = estimate(plan(strategy="on_demand", model=times(10.0, 40.0)))

    assert found.images_per_s == 25.0


def test_without_times_no_speed_is_claimed():
    found = estimate(plan(model={"s3_uri": "s3://greengrass-a/b.zip"}))

    assert found.images_per_s is None
    assert found.images_per_day == 0


def test_a_load_is_turned_into_messages_objects_and_money():
    found = estimate(
        plan(
            load={"images_per_day": 100_000},
            cloud={"batch_s": 10.0, "outbox": {"bucket": "press-results"}},
        )
    )

    assert found.reports_per_day == 2 * 1_440
    assert found.messages_per_day == 8_640 + 2_880
    assert found.metered_messages_per_day == 11_719 + 2_880  # 60 MB in units of 5 KB
    # The rule's batches, and an outbox object per stream every 5 s.
    assert found.s3_objects_per_day == 8_640 + 2 * 17_280
    assert found.usd_per_month == 6.92
    assert any("site: load" in each for each in found.assumptions)


def test_few_images_are_never_more_messages_than_images():
    found = estimate(plan(load={"images_per_day": 10}))

    assert found.messages_per_day - found.reports_per_day == 10


def test_what_is_kept_is_what_comes_in_a_day_times_the_days():
    found = estimate(plan(load={"images_per_day": 1_000}, cloud={"store": {"keep_days": 10}}))

    assert (found.s3_bytes_per_day, found.s3_bytes_kept) == (600_000, 6_000_000)


def test_a_store_that_is_switched_off_writes_no_object():
    found = estimate(plan(load={"images_per_day": 1_000}, cloud={"store": None}))

    assert (found.s3_objects_per_day, found.s3_bytes_kept) == (0, None)


def test_longer_batches_are_fewer_objects():
    load = {"images_per_day": 200_000}
    often, seldom = (
        estimate(plan(load=load, cloud={"batch_s": seconds})) for seconds in (1.0, 10.0)
    )

    assert often.s3_objects_per_day == 10 * seldom.s3_objects_per_day


def test_a_monitor_that_is_switched_off_reports_and_costs_nothing():
    found = estimate(plan(load={"images_per_day": 10}, cloud={"monitor": None}))

    assert (found.reports_per_day, found.cloudwatch_metrics, found.cloudwatch_alarms) == (0, 0, 0)


def test_a_site_without_a_cloud_costs_nothing():
    found = estimate(plan(cloud={"mqtt": False}, load={"images_per_day": 1000}))

    assert (found.messages_per_day, found.s3_objects_per_day, found.usd_per_month) == (0, 0, 0.0)
