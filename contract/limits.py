"""Every limit that planner, core and Lambdas share, with where it is written down.

A limit is data: the checks compare against it, the errors quote it, `docs/spec/findings.md`
prints it. Memory of a splitter and the like are no limits; they live in `infra.planning.sizing`.
"""

from __future__ import annotations

from typing import NamedTuple

_QUOTAS = "https://docs.aws.amazon.com/general/latest/gr/greengrass.html"
_GUIDE = "https://docs.aws.amazon.com/greengrass/v1/developerguide/"
_API = "https://docs.aws.amazon.com/greengrass/v1/apireference/"
_ARTICLE = (
    "https://aws.amazon.com/blogs/machine-learning/parallelizing-across-multiple-cpu-gpus"
    "-to-speed-up-deep-learning-inference-at-the-edge/"
)


class Limit(NamedTuple):
    """One quota: what it counts, its value and unit, and its source."""

    name: str
    value: int
    unit: str
    source: str

    def __str__(self) -> str:
        return f"{self.value} {self.unit}"


FUNCTIONS_PER_GROUP = Limit("functions in a group", 200, "functions", _QUOTAS)
RESOURCES_PER_GROUP = Limit("resources in a group", 200, "resources", _QUOTAS)
# The quotas page says 20, the API reference says 10: the lower one is safe on both.
RESOURCES_PER_FUNCTION = Limit(
    "resources of one function", 10, "resources", _API + "definitions-functionconfiguration.html"
)
SUBSCRIPTIONS_PER_GROUP = Limit("subscriptions in a group", 10_000, "subscriptions", _QUOTAS)
CLOUD_SUBSCRIPTIONS = Limit("subscriptions from the cloud", 50, "subscriptions", _QUOTAS)
DEVICES_PER_GROUP = Limit("devices in a group", 2_500, "devices", _QUOTAS)
# Known from the article of May 2019 only; today's quotas page does not name it. Hence a default
# that a profile may override (`containers.limit`).
CONTAINERS = Limit("concurrent containers on a core", 20, "containers", _ARTICLE)
UNPINNED_WORKERS = Limit(
    "concurrent on-demand workers (maxConcurrentLimit)", 25, "workers", _GUIDE + "gg-core.html"
)
# Items above it are ignored without a word, and system components share it.
WORK_ITEMS = Limit("queued work items (maxWorkItemCount)", 1_024, "items", _GUIDE + "gg-core.html")
MESSAGE_BYTES = Limit("size of a message", 131_072, "bytes", _QUOTAS)
TOPIC_BYTES = Limit("length of a topic", 256, "bytes", _QUOTAS)
TOPIC_SLASHES = Limit("slashes in a topic", 7, "slashes", _QUOTAS)
# `$aws/…` has up to three levels of its own in front.
RESERVED_TOPIC_SLASHES = Limit(
    "slashes in a topic below $aws",
    10,
    "slashes",
    "https://docs.aws.amazon.com/general/latest/gr/iot-core.html",
)
CORE_THING_NAME_BYTES = Limit("core thing name", 124, "bytes", _QUOTAS)
THING_NAME_CHARS = Limit(
    "thing name",
    128,
    "characters",
    "https://docs.aws.amazon.com/iot/latest/apireference/API_CreateThing.html",
)
FUNCTION_NAME_CHARS = Limit(
    "Lambda function name",
    64,
    "characters",
    "https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html",
)
ID_CHARS = Limit(
    "id in a definition", 128, "characters", _API + "definitions-functiondefinitionversion.html"
)
SPOOLER_MIN_BYTES = Limit(
    "spooler size (the core does not start below it)", 262_144, "bytes", _GUIDE + "gg-core.html"
)
ALL = tuple(v for v in list(globals().values()) if isinstance(v, Limit))

# Ours, where a site says nothing else (`pictures.max_mb`): the size of one image.
IMAGE_BYTES = 16 << 20

# Not numbers, but of the same kind: dates and places that V1 fixes.
FORBIDDEN_VOLUME_ROOTS = ("/var", "/sys", "/dev", "/proc")
FORBIDDEN_VOLUME_SOURCE = _GUIDE + "access-local-resources.html"
V1_ENDED = "2026-10-07"
V1_ENDED_SOURCE = _GUIDE + "maintenance-policy.html"
RUNTIME = "python3.8"
RUNTIME_SOURCE = _GUIDE + "lambda-functions.html"
RUNTIME_CREATE_ENDS = "2027-02-01"
RUNTIME_CREATE_ENDS_SOURCE = "https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html"
