import pytest
from every import every
from plan_samples import FOOTPRINT, plan, profile, site

from infra.planning import Footprint, StageTimes, plan_group
from infra.planning.placement import deal
from infra.planning.placement import place as placed
from infra.planning.sizing import tensor_slots


def gpus(count: int) -> tuple[dict, ...]:
    return tuple({"index": i, "model": "T4", "memory_mb": 15360} for i in range(count))


def times(transform: float, inference: float) -> Footprint:
    ms = StageTimes(transform=transform, inference=inference)
    return FOOTPRINT.model_copy(update={"ms": ms})


def test_the_articles_device_gets_one_worker_per_gpu():
    found = place(site(), profile("p3.8xlarge"), None)

    assert found.gpu_ids == (0, 1, 2, 3)


def place(a_site, device, footprint, isolation="none"):
    return placed(a_site, device, footprint, isolation)


def test_gpus_are_dealt_round_robin():
    device = profile(gpus=gpus(3))

    assert [each.index for each in deal(7, device.accelerators)] == [0, 1, 2, 0, 1, 2, 0]


def test_gpu_numbers_of_the_driver_are_kept():
    device = profile(gpus=({"index": 4, "model": "T4", "memory_mb": 1},))

    assert [each.id for each in deal(2, device.accelerators)] == ["4", "4"]


def test_copies_per_gpu_are_taken_as_told():
    found = place(site(copies_per_gpu=3), profile(), FOOTPRINT)

    assert found.gpu_ids == (0, 1, 0, 1, 0, 1)


def test_a_slow_transform_gets_several_copies_on_each_gpu_where_memory_and_cores_allow():
    found = place(site(), profile(), times(transform=70, inference=35))

    assert found.gpu_ids == (0, 1, 0, 1)


def test_copies_stop_at_the_gpus_memory():
    heavy = times(transform=350, inference=35).model_copy(update={"gpu_memory_mb": 3900})

    found = place(site(), profile(), heavy)

    assert len(found.gpu_ids) == 2 * 2


def test_copies_stop_at_the_cores():
    found = place(site(), profile(), times(transform=350, inference=35))

    assert len(found.gpu_ids) == 2 * (6 // 2)


def test_memory_that_gpu_and_cpu_share_is_counted_once_for_both():
    shared = profile("jetson-agx-xavier")
    heavy = times(transform=350, inference=35).model_copy(update={"gpu_memory_mb": 8000})

    found = place(site(), shared, heavy)

    assert len(found.gpu_ids) == 3  # 28,672 MB ÷ (8,000 + 1,285) MB


def test_a_cpu_device_gets_one_worker_of_one_thread_per_core():
    found = place(site(), profile("cpu-gateway-4core"), FOOTPRINT)

    assert found.gpu_ids == (-1, -1, -1)
    assert found.threads == 1


def test_a_cpu_device_with_little_memory_gets_fewer_workers_with_more_threads():
    small = profile("cpu-gateway-4core", memory_mb=3072)

    found = place(site(), small, FOOTPRINT)

    assert len(found.gpu_ids) == 1
    assert found.threads == 3


def test_even_a_device_that_is_too_small_gets_one_worker_for_the_checks_to_refuse():
    tiny = profile("cpu-gateway-4core", memory_mb=1025)

    assert len(place(site(), tiny, FOOTPRINT).gpu_ids) == 1


def test_threads_told_leave_cores_for_fewer_workers():
    found = place(site(threads=3), profile("cpu-gateway-4core"), FOOTPRINT)

    assert (len(found.gpu_ids), found.threads) == (1, 3)


@pytest.mark.parametrize("strategy", ["pinned", "decoupled", "on_demand"])
def test_many_cores_are_used_by_threads_where_containers_are_too_few(strategy):
    big = profile("cpu-gateway-4core", cpu_cores=97, memory_mb=262_144)

    found = place(site(strategy=strategy), big, FOOTPRINT, "container")

    assert len(found.gpu_ids) + found.transforms == 20 - 2
    assert found.threads == (96 - found.transforms) // len(found.gpu_ids) >= 5


def test_a_pool_is_one_container_whatever_its_size():
    big = profile("cpu-gateway-4core", cpu_cores=97, memory_mb=262_144)

    assert len(place(site(strategy="pool", window=1), big, FOOTPRINT, "container").gpu_ids) == 96


def test_automatic_workers_never_fill_the_cores_queue_with_their_batches():
    huge = profile("cpu-gateway-4core", cpu_cores=500, memory_mb=2_097_152)

    two_each, one_each = (
        place(site(window=2), huge, FOOTPRINT),
        place(site(window=1), huge, FOOTPRINT),
    )

    # 1,024 work items, half of them for batches, three items a batch: 170 batches.
    assert (len(two_each.gpu_ids), len(one_each.gpu_ids)) == (85, 170)


def test_on_demand_stays_below_its_own_limit():
    big = profile("cpu-gateway-4core", cpu_cores=97, memory_mb=262_144)

    assert len(place(site(strategy="on_demand"), big, FOOTPRINT).gpu_ids) == 25


def test_transforms_keep_the_gpus_fed():
    found = place(site(strategy="decoupled"), profile(), times(transform=70, inference=35))

    assert (found.transforms, len(found.gpu_ids)) == (4, 2)


def test_tensors_that_all_share_are_counted_once():
    found = plan(strategy="decoupled", transforms=4, copies_per_gpu=2)
    ring_kb = 4 * (3_072 + 64) + 64

    assert found.rings_kb == 4 * ring_kb
    assert [f.memory_kb for f in found.by_role("transform")] == [262_144 + ring_kb] * 4
    assert {f.memory_kb - f.shared_kb for f in found.workers} == {1_315_536}


def test_a_ring_has_room_for_what_its_share_of_the_workers_needs():
    assert [tensor_slots(*each) for each in ((1, 4), (4, 4), (4, 2), (8, 1))] == [4, 4, 7, 25]


def test_transforms_leave_a_core_for_each_worker():
    found = place(site(strategy="decoupled"), profile(), times(transform=700, inference=35))

    assert found.transforms == 6 - 2


def test_transforms_on_a_cpu_device_share_the_cores_by_the_stages_times():
    device = profile("cpu-gateway-4core", cpu_cores=9, memory_mb=65_536)

    found = place(site(strategy="decoupled"), device, times(transform=10, inference=30))

    assert (found.transforms, len(found.gpu_ids)) == (2, 6)


@pytest.mark.parametrize("strategy", ["pinned", "decoupled", "pool", "on_demand"])
def test_every_decision_has_a_reason_with_a_source(strategy):
    reasons = plan(strategy=strategy).reasons

    assert {"isolation", "workers", "threads per worker"} <= {r.subject for r in reasons}
    assert every(r.value and r.why and r.source for r in reasons)


def test_the_packages_footprint_wins_over_the_sites():
    own = FOOTPRINT.model_copy(update={"memory_kb": 5_000_000})

    assert plan_group(site(), profile(), own).footprint == own
    assert plan_group(site(), profile()).footprint == FOOTPRINT
