"""`python -m bench.replay_on_paper`: a replay of 10⁸ images on 100 nodes, step by step, on paper.

Prints the table of docs/replay-on-paper.md. Every number is a quota or a list price with its
source, a measurement of docs/performance.md, or an assumption; the page says which.
"""

from __future__ import annotations

from dataclasses import dataclass

from replay.ahead import READERS
from replay.cost import GET_USD, LISTED_AT_ONCE, PUT_OR_LIST_USD, Work, cost

#: S3, per partitioned prefix: its user guide, optimizing-performance.html
GETS_PER_S = 5_500
#: AWS Batch, children of one array: its user guide, service_limits.html
ARRAY_TASKS = 10_000
SHARD_IMAGES = 1_000


@dataclass(frozen=True)
class Archive:
    """Assumptions about the plant's images, and about one node."""

    images: int = 100_000_000
    image_bytes: int = 180_000
    cameras: int = 200
    nodes: int = 100
    #: Measured on two vCPUs by `bench.replay_rate --ray own`; a node has 16.
    node_images_per_s: float = 8 * 117.4
    #: c5.4xlarge, on demand, us-east-1 (docs.aws.amazon.com, Auto Scaling guide's price example).
    node_usd_per_hour: float = 0.68
    #: The driver, measured: CPU of a key that is listed, cut and planned (`bench.replay_listing`),
    #: of a record that is joined, and of one that is joined and compared (`bench.replay_join`).
    list_key_s: float = 91.7e-6
    join_record_s: float = 7.0e-6
    compare_record_s: float = 36.8e-6
    #: S3's answer, for which the driver waits: pages come one by one, shards eight at a time.
    answer_s: float = 0.1
    node_network_bytes_per_s: float = 5e9 / 8

    @property
    def images_per_s(self) -> float:
        return self.nodes * self.node_images_per_s

    @property
    def shards(self) -> int:
        return self.images // SHARD_IMAGES


def steps(one: Archive) -> list[tuple[str, float, str]]:
    """What is done, the hours that it takes alone, and the arithmetic."""
    pages = -(-one.images // LISTED_AT_ONCE)
    page_s = one.answer_s + LISTED_AT_ONCE * one.list_key_s
    reading_s = one.shards / READERS * one.answer_s
    one_prefix = min(one.images_per_s, GETS_PER_S)
    return [
        ("list, one driver", pages * page_s / 3600,
         f"{pages:,} pages of 1,000 keys, one after the other, {one.answer_s} s of waiting and "
         f"{LISTED_AT_ONCE * one.list_key_s:.2f} s of CPU each"),
        ("compute, no other limit", one.images / one.images_per_s / 3600,
         f"{one.nodes} nodes × {one.node_images_per_s:.0f} images/s"),
        ("compute, archive under one prefix", one.images / one_prefix / 3600,
         f"S3 gives one prefix {GETS_PER_S:,} GETs/s at first, {one.images_per_s:,.0f} are wanted"),
        ("read, network of the nodes",
         one.images * one.image_bytes / (one.nodes * one.node_network_bytes_per_s) / 3600,
         f"{one.images * one.image_bytes / 1e12:.0f} TB over {one.nodes} × "
         f"{one.node_network_bytes_per_s * 8 / 1e9:.0f} Gbit/s"),
        ("join, one driver", (reading_s + one.images * one.join_record_s) / 3600,
         f"{one.shards:,} shards, {READERS} at a time, {one.answer_s} s each, and "
         f"{one.join_record_s * 1e6:.0f} µs of CPU a record"),
        ("join and compare, one driver", (reading_s + one.images * one.compare_record_s) / 3600,
         f"the same with --against: {one.compare_record_s * 1e6:.0f} µs of CPU a record"),
    ]  # fmt: skip


def money(one: Archive) -> list[tuple[str, float, str]]:
    """What is paid for, US dollars, and the arithmetic."""
    work = Work(one.images, one.shards, from_s3=True, to_s3=True)
    paid = cost(work, one.images_per_s, one.nodes * one.node_usd_per_hour)
    taken = {what: hours for what, hours, _ in steps(one)}
    idle_h = taken["list, one driver"] + taken["join and compare, one driver"]
    idle_usd = idle_h * one.nodes * one.node_usd_per_hour
    return [
        ("machines", paid.machines_usd,
         f"{paid.hours:.2f} h × {one.nodes} × {one.node_usd_per_hour} USD"),
        ("requests of S3", paid.requests_usd,
         f"a GET per image ({GET_USD} USD per 1,000); lists and PUTs at {PUT_OR_LIST_USD}"),
        ("nodes that wait while the driver lists and joins", idle_usd,
         f"{idle_h:.1f} h, where they are started with the driver instead of after its listing"),
    ]  # fmt: skip


def table() -> str:
    one = Archive()
    lines = ["| step | hours | because |", "| --- | ---: | --- |"]
    lines += [f"| {what} | {hours:.2f} | {why} |" for what, hours, why in steps(one)]
    lines += ["", "| paid for | USD | because |", "| --- | ---: | --- |"]
    lines += [f"| {what} | {usd:.0f} | {why} |" for what, usd, why in money(one)]
    tasks = -(-one.shards // ARRAY_TASKS)
    lines += [
        "",
        f"{one.shards:,} shards; as an array of AWS Batch {ARRAY_TASKS:,} tasks of {tasks} shards.",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(table(), end="")
