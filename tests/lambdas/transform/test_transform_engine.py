"""What a transform function decides about its slots, in virtual time and with a real ring."""

import pytest
from inference_kit import work
from rings import SIZE, ring_of

from contract.messages import parse_work
from lambdas.tensors.folder import Folder, short_incarnation
from lambdas.tensors.reader import Reader
from lambdas.tensors.ring import READY
from lambdas.transform.engine import Transformer

LIMIT_S = 10.0


class Plant:
    """One transform function's engine, and inference functions that live as long as told."""

    def __init__(self, folder, slots):
        self.folder = Folder(str(folder / "shm"))
        self.ring = ring_of(self.folder, slots=slots)
        self.engine = Transformer(self.ring, 0.0, LIMIT_S)
        self.now = 0.0

    def take(self, batch, *files):
        self.engine.take(parse_work(work(batch, *files)))

    def fill(self):
        """Transform all that has room; the tensor holds the image's number."""
        while (begun := self.engine.begin()) is not None:
            tensor, slot = begun
            self.ring.tensor(slot)[:] = tensor.item["seq"]
            assert self.engine.offer(tensor, slot, slot) is None

    def worker(self, name):
        reader = Reader(self.folder, ("t0",), name, "m")
        reader.refresh()
        return reader

    def step(self, seconds=0.1, served=True, crashed=lambda _incarnation: False):
        self.now += seconds
        return self.engine.step(self.now, served, (), crashed)


@pytest.fixture
def plant(tmp_path):
    return Plant(tmp_path, slots=4)


def die(reader):
    reader._rings["t0"].close()


def finish(claims):
    for claim in claims:
        claim.sending()
        claim.finish()


def seqs(claims):
    return [claim.item["seq"] for claim in claims]


def test_more_images_than_slots_pass_through_as_slots_get_free(plant):
    plant.take("b-1", *"abcdefghij")
    worker, seen = plant.worker("w"), []
    for _ in range(5):
        plant.fill()
        claims = worker.take(2)
        seen += seqs(claims)
        finish(claims)
        assert plant.step() == []

    assert sorted(seen) == list(range(1, 11))
    assert (plant.engine.in_hand(), plant.engine.done) == ([], 10)


def test_a_batch_is_in_hand_until_the_last_of_its_images_is_published(plant):
    plant.take("b-1", "a", "b")
    plant.fill()
    worker = plant.worker("w")
    claims = worker.take(2)
    for claim in claims:
        claim.sending()
    plant.step()
    assert plant.engine.in_hand() == ["b-1"]
    claims[0].finish()
    plant.step()
    assert plant.engine.in_hand() == ["b-1"]
    claims[1].finish()
    plant.step()
    assert plant.engine.in_hand() == []


def test_what_a_dead_worker_had_begun_goes_alone_and_the_rest_does_not(plant):
    plant.take("b-1", *"abcd")
    plant.fill()
    first = plant.worker("w")
    claims = first.take(3)
    claims[0].sending()
    die(first)

    assert plant.step() == []
    second = plant.worker("w2")

    groups = [seqs(second.take(4)) for _ in range(3)]
    assert sorted(groups) == [[1, 4], [2], [3]]


def test_an_image_that_ends_two_workers_the_last_alone_is_judged(plant):
    plant.step(60)  # long after the start, which counts as a death
    plant.take("b-1", "a", "b")
    plant.fill()
    for name, limit in (("w", 2), ("w2", 1)):
        reader = plant.worker(name)
        reader.take(limit)
        die(reader)
        verdicts = plant.step()

    ((tensor, record),) = verdicts
    assert (record["reason"], record["seq"]) == ("killed_workers", tensor.item["seq"])
    plant.engine.settle(tensor, ok=False)
    worker = plant.worker("w3")
    finish(worker.take(4))
    plant.step()
    assert plant.engine.in_hand() == []
    assert (plant.engine.done, plant.engine.failed) == (1, 1)


def on_trial(plant, name="w2"):
    """An image that has ended a worker in company, and then, alone, the worker `name`."""
    plant.take("b-1", "a", "b")
    plant.fill()
    for reader, limit in ((plant.worker("w"), 2), (plant.worker(name), 1)):
        (claim, *_) = reader.take(limit)
        die(reader)
        plant.step(crashed={short_incarnation("w"): False}.get)
    return claim.item["seq"]


def test_a_suspect_waits_until_the_next_incarnation_reports_how_the_last_one_ended(plant):
    seq = on_trial(plant)
    assert plant.step(1.0, crashed=lambda _incarnation: None) == []
    others = [claim.item["seq"] for claim in plant.worker("w3").take(4)]
    assert seq not in others

    ((tensor, record),) = plant.step(crashed={short_incarnation("w2"): True}.get)

    assert (record["reason"], record["seq"]) == ("killed_workers", seq)
    assert tensor.deaths == 2


def test_without_a_word_it_is_tried_again_as_after_a_kill(plant):
    seq = on_trial(plant)
    worker = plant.worker("w3")
    finish(worker.take(1))

    assert (
        plant.step(crashed={short_incarnation("w2"): False}.get) == []
    )  # its start counts as a death
    assert [claim.item["seq"] for claim in worker.take(4)] == [seq]


def test_a_word_that_never_comes_is_waited_for_as_long_as_for_a_worker(plant):
    seq = on_trial(plant)
    worker = plant.worker("w3")
    finish(worker.take(1))
    assert plant.step(LIMIT_S * 0.9, crashed=lambda _incarnation: None) == []
    assert worker.take(4) == []

    assert plant.step(LIMIT_S * 0.2, crashed=lambda _incarnation: None) == []

    assert [claim.item["seq"] for claim in worker.take(4)] == [seq]


def test_suspects_are_given_back_with_the_others_where_no_worker_lives(plant):
    on_trial(plant)
    plant.engine._served_at = plant.now - LIMIT_S
    plant.step(served=False, crashed=lambda _incarnation: None)
    assert plant.engine.in_hand() == []
    plant.take("b-2", *"abcd")
    plant.fill()
    assert len(plant.worker("w4").take(4)) == 4, "every slot is free again"


def test_workers_that_somebody_else_kills_cost_no_image(plant):
    for n in range(5):
        plant.take(f"b-{n}", *"abcd")
        plant.fill()
        unlucky = plant.worker(f"w{n}")
        assert len(unlucky.take(4)) == 4
        die(unlucky)
        assert plant.step() == []
        again = plant.worker(f"again{n}")
        for _ in range(4):
            finish(again.take(1))
        assert plant.step() == []

    assert (plant.engine.done, plant.engine.failed) == (20, 0)


def test_a_worker_that_dies_while_it_publishes_raises_no_suspicion(plant):
    plant.take("b-1", "a")
    plant.fill()
    for n in range(10):
        reader = plant.worker(f"w{n}")
        (claim,) = reader.take(1)
        assert not claim.alone
        claim.sending()
        die(reader)
        assert plant.step() == []


def test_a_tensor_that_a_hung_worker_keeps_goes_on_in_another_slot(plant):
    plant.take("b-1", "a")
    plant.fill()
    hung = plant.worker("w")
    (kept,) = hung.take(1)
    plant.step()
    plant.step(LIMIT_S + 1)

    (other,) = plant.worker("w2").take(1)

    assert (other.item, other.alone) == (kept.item, True)
    assert other.tensor.tolist() == kept.tensor.tolist() == [1.0] * (SIZE // 4)
    finish([other])
    plant.step()
    assert plant.engine.in_hand() == []
    # It wakes up, publishes what the aggregator already has, and only now the slot is free.
    plant.take("b-2", *"abcde")
    plant.fill()
    assert sum(plant.ring.word(s).state == READY for s in range(4)) == 3
    finish([kept])
    plant.step()
    plant.fill()
    assert sum(plant.ring.word(s).state == READY for s in range(4)) == 4


def test_what_a_stopped_worker_keeps_goes_on_at_once_and_no_image_is_a_suspect(plant):
    plant.take("b-1", "a")
    plant.fill()
    stopped = plant.worker("w")
    (kept,) = stopped.take(1)
    assert plant.engine.step(1.0, True, {stopped._incarnation}) == []

    (other,) = plant.worker("w2").take(1)

    assert (other.item, other.alone) == (kept.item, False)
    finish([other, kept])
    plant.step()
    assert plant.engine.in_hand() == []
    assert plant.engine.done == 1


def test_without_any_worker_batches_are_given_back_and_no_image_is_a_suspect(plant):
    plant.take("b-1", *"abcdef")
    plant.fill()
    plant.step(LIMIT_S, served=False)
    assert plant.engine.in_hand() == ["b-1"]

    assert plant.step(1.0, served=False) == []

    assert plant.engine.in_hand() == []
    plant.take("b-2", *"abcd")
    plant.fill()
    assert sorted(seqs(plant.worker("w").take(9))) == [1, 2, 3, 4]


def test_an_image_whose_description_does_not_fit_is_a_failed_record(plant):
    event = work("b-1", "a")
    event["items"][0]["ts"] = "x" * 20_000
    plant.engine.take(parse_work(event))
    tensor, slot = plant.engine.begin()

    record = plant.engine.offer(tensor, slot, 1)

    assert record["reason"] == "too_large"
    assert plant.engine.begin() is None


def test_workers_that_come_back_only_to_end_at_once_are_a_service_and_images_stay(plant):
    plant.take("b-1", "a", "b")
    plant.fill()
    for n in range(2):
        reader = plant.worker(f"w{n}")
        reader.take(1)
        die(reader)
        plant.step(LIMIT_S * 0.6, served=False)

    assert plant.engine.in_hand() == ["b-1"]
