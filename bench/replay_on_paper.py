"""`python -m bench.replay_on_paper`: a replay of 10⁸ images on 100 nodes, step by step, on paper.

Prints the table of docs/replay-on-paper.md. Every number is a quota or a list price with its
source, or an assumption that the page names; nothing is measured here.
"""

from __future__ import annotations

from dataclasses import dataclass

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
    record_bytes: int = 300
    cameras: int = 200
    nodes: int = 100
    #: A node of 16 vCPUs (8 cores): 8 ms to decode and 16 ms of network on one thread, 16
    #: workers of which two share a core and bring 1.3 of it.
    node_images_per_s: float = 8 * 1.3 / 0.024
    #: c5.4xlarge, on demand, us-east-1 (docs.aws.amazon.com, Auto Scaling guide's price example).
    node_usd_per_hour: float = 0.68
    list_page_s: float = 0.1
    join_bytes_per_s: float = 60e6
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
    join_bytes = one.images * one.record_bytes
    one_prefix = min(one.images_per_s, GETS_PER_S)
    return [
        ("list, one driver", pages * one.list_page_s / 3600,
         f"{pages:,} pages of 1,000 keys, one after the other, {one.list_page_s} s each"),
        ("compute, no other limit", one.images / one.images_per_s / 3600,
         f"{one.nodes} nodes × {one.node_images_per_s:.0f} images/s"),
        ("compute, archive under one prefix", one.images / one_prefix / 3600,
         f"S3 gives one prefix {GETS_PER_S:,} GETs/s at first, {one.images_per_s:,.0f} are wanted"),
        ("read, network of the nodes",
         one.images * one.image_bytes / (one.nodes * one.node_network_bytes_per_s) / 3600,
         f"{one.images * one.image_bytes / 1e12:.0f} TB over {one.nodes} × "
         f"{one.node_network_bytes_per_s * 8 / 1e9:.0f} Gbit/s"),
        ("join, one driver", join_bytes * 2 / one.join_bytes_per_s / 3600,
         f"{join_bytes / 1e9:.0f} GB of records read and written at "
         f"{one.join_bytes_per_s / 1e6:.0f} MB/s"),
    ]  # fmt: skip


def money(one: Archive) -> list[tuple[str, float, str]]:
    """What is paid for, US dollars, and the arithmetic."""
    work = Work(one.images, one.shards, from_s3=True, to_s3=True)
    paid = cost(work, one.images_per_s, one.nodes * one.node_usd_per_hour)
    idle_h = sum(hours for what, hours, _ in steps(one) if "one driver" in what)
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
