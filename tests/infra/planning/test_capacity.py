import pytest
from plan_samples import FOOTPRINT, plan, profile

from infra.planning import estimate

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


def test_on_a_cpu_both_stages_share_the_cores():
    assert estimate(plan(on=CPU, model=times(10.0, 40.0))).images_per_s == 60.0


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
