"""A site: one YAML file per place, naming its device, model, cameras and cloud."""

from __future__ import annotations

import re
from typing import Annotated, Literal, TypeVar

from pydantic import Field

from infra.planning.alerts import MAX_VARIABLE_BYTES, Alerts
from infra.planning.cameras import Camera, source_problems
from infra.planning.cloud import Cloud
from infra.planning.components import Components
from infra.planning.cores import CONSOLE, Console, Core, FurtherCore, Volumes, core_problems
from infra.planning.fields import (
    Count,
    Footprint,
    Name,
    PositiveFloat,
    PositiveInt,
    Record,
)
from infra.planning.findings import Finding, InvalidInput
from infra.planning.history import History
from infra.planning.pictures import Pictures
from infra.planning.rollout import Rollout
from infra.planning.trials import Canary, Trial

Strategy = Literal["pinned", "decoupled", "pool", "on_demand"]
Target = Literal["v1", "iot", "v2"]
MODEL_URI = r"^s3://[a-z0-9.-]{3,63}/.+\.(tar\.gz|zip)$"
MODEL_URI_WORDS = "s3://BUCKET/KEY ending in .tar.gz or .zip"


Held = TypeVar("Held", Core, Camera, Console)


class Model(Record):
    """The model package that the site runs."""

    s3_uri: Annotated[str, Field(pattern=MODEL_URI)] | None = Field(
        default=None, description="Package in S3, .tar.gz or .zip."
    )
    footprint: Footprint | None = Field(
        default=None, description="What one copy needs; the package's own is better."
    )


class Timeouts(Record):
    worker_s: PositiveInt = Field(
        default=30, description="A worker that does not answer for this long is considered hung."
    )
    handler_s: PositiveInt = Field(
        default=30, description="One call of the splitter's or the aggregator's handler."
    )
    start_s: PositiveInt = Field(
        default=300, description="A function must ask for its first work this long after its start."
    )


class Backlog(Record):
    """How much the splitter takes before it says `busy`."""

    max_images: PositiveInt = Field(default=20_000, description="Images not yet finished.")
    journal_bytes: Annotated[int, Field(ge=1_048_576)] = Field(
        default=1_073_741_824, description="Quota of the journal."
    )
    policy: Literal["reject", "drop_oldest", "drop_newest"] = Field(
        default="reject",
        description="Above max_images: answer `busy`, or write a `dropped` record for each.",
    )


class Custody(Record):
    """How accepted images are kept from whatever a camera does to its files afterwards."""

    mode: Literal["link", "copy"] = Field(
        default="link",
        description="copy: for cameras that write into a file again instead of replacing it.",
    )
    max_bytes: Annotated[int, Field(ge=0)] = Field(
        default=0, description="Of images held at once; above it `no_space`. 0: the disk's own."
    )


class Jobs(Record):
    """A job is one machine passing the cameras; it ends in a summary."""

    to_cloud: bool = Field(default=True, description="Summaries to AWS IoT too.")
    linger_s: Annotated[float, Field(ge=0, le=3_600)] = Field(
        default=2.0, description="A complete job waits this long for a further camera."
    )


class Logging(Record):
    level: Literal["DEBUG", "INFO", "WARN", "ERROR", "FATAL"] = Field(
        default="INFO", description="Of the core's loggers and the functions."
    )
    space_kb: Annotated[int, Field(ge=128)] = Field(
        default=8_192, description="Disk for the log files, kilobytes."
    )
    cloudwatch: bool = Field(default=False, description="To CloudWatch Logs as well.")


class Spooler(Record):
    """GGCloudSpooler: messages to the cloud that wait on disk for a connection."""

    max_size_bytes: PositiveInt = Field(
        default=1_073_741_824,
        description="When full, the oldest are overwritten; 72 hours at 2 results a second fit.",
    )


class Load(Record):
    """What to expect, for the estimate; nothing is enforced."""

    images_per_day: PositiveInt = Field(description="All cameras together.")


class Site(Record):
    """One place: one core, one group; with `cores` a group for each (infra/planning/boxes.py)."""

    name: Name = Field(description="First level of every local topic; the stack's name.")
    profile: str = Field(description="A file of device_profiles/, without .yaml.")
    account: str = Field(pattern=r"^\d{12}$", description="AWS account, 12 digits, quoted.")
    region: str = Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$", description="AWS region.")
    core: Core = Field(description="The device's thing.")
    cores: tuple[FurtherCore, ...] = Field(
        default=(), description="Further boxes; cameras are dealt over all, or put by hand."
    )
    certificates: str | None = Field(
        default=None,
        description="File of `fanfold provision`, thing name → certificate ARN (YAML or JSON), "
        "relative to this one; default certificates/{name}.json.",
    )
    target: Target = Field(
        default="v1", description="How the group reaches the device: v1, iot, v2."
    )
    rollout: Rollout = Field(
        default=Rollout(), description="Targets iot and v2: the deployment's job."
    )
    components: Components = Field(
        default=Components(), description="Target v2: the components and what runs beside them."
    )
    model: Model = Field(default=Model(), description="The model package.")
    cameras: tuple[Camera, ...] = Field(min_length=1, description="One stream each.")
    console: Console = Field(default=Console(), description="The operator's own device.")
    volumes: Volumes = Field(description="Folders of the device.")
    strategy: Strategy = Field(default="pinned", description="How the work is spread.")
    workers: Literal["auto"] | Count = Field(
        default="auto", description="Inference workers in total; auto: as the hardware allows."
    )
    copies_per_gpu: Literal["auto"] | Count = Field(
        default="auto", description="Model copies on each GPU, if workers is auto."
    )
    transforms: Literal["auto"] | Count = Field(
        default="auto", description="Transform functions (strategy decoupled)."
    )
    threads: Literal["auto"] | Count = Field(
        default="auto", description="Threads of one worker's network on a CPU."
    )
    mps: bool = Field(
        default=False, description="NVIDIA Multi-Process Service for copies that share a GPU."
    )
    batch: Annotated[int, Field(ge=1, le=32)] = Field(
        default=8, description="Images in one message to a worker, at most."
    )
    window: Annotated[int, Field(ge=1, le=64)] = Field(
        default=2, description="Batches in flight per worker."
    )
    max_wait_s: PositiveFloat = Field(
        default=10.0, description="How long a stream waits for a missing image."
    )
    max_hold: PositiveInt = Field(
        default=10_000, description="Reorder buffer: results per stream at most."
    )
    timeouts: Timeouts = Field(default=Timeouts(), description="Timeouts and time limits.")
    backlog: Backlog = Field(default=Backlog(), description="When to answer `busy`.")
    isolation: Literal["auto", "container", "none"] = Field(
        default="auto", description="auto: containers where the profile supports them."
    )
    cloud: Cloud = Field(default=Cloud(), description="Where results go.")
    drop_folder: Annotated[str, Field(pattern=r"^([A-Za-z0-9._-]+)?$")] = Field(
        default="drop", description="Below the images volume; empty: off."
    )
    drop_subfolders: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9._*?\[\]-]+$")], ...] = Field(
        default=("dated",),
        description="Sub-folders that are looked into: patterns; `dated`: dates and times.",
    )
    drop_wait_s: Annotated[float, Field(ge=1, le=3600)] = Field(
        default=30.0, description="How long an image without its end is waited for."
    )
    pictures: Pictures = Field(default=Pictures(), description="Limits of one picture.")
    custody: Custody = Field(default=Custody(), description="What `accepted` keeps safe.")
    job: Jobs = Field(default=Jobs(), description="Job summaries.")
    logging: Logging = Field(default=Logging(), description="Logs.")
    spooler: Spooler = Field(default=Spooler(), description="Queue to the cloud.")
    history: History = Field(default=History(), description="What the device remembers.")
    alerts: Alerts = Field(default=Alerts(), description="Whom to call, and when.")
    trial: Trial = Field(default=Trial(), description="The first live images of a deployment.")
    canary: Canary | None = Field(
        default=None, description="Compare a new model on copies of live images first."
    )
    load: Load | None = Field(default=None, description="For the estimate.")
    transform: Literal["fast", "exact"] = Field(
        default="fast", description="fast: a JPEG is decoded at about the size that is needed."
    )
    hooks: Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$")] | None = Field(
        default=None, description="Python module with `transform` and `postprocess`."
    )

    def contradictions(self) -> list[str]:
        found = []
        names = [camera.name for camera in self.cameras]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            found.append(f"cameras: {', '.join(twice)} given twice; use each name once")
        if CONSOLE in names:
            found.append(f"cameras: {CONSOLE!r} is the operator's own device; use another name")
        found += [
            f"alerts: rule {rule.name}: there is no camera {rule.camera}; cameras: "
            f"{', '.join(sorted(names))}"
            for rule in self.alerts.rules
            if rule.camera is not None and rule.camera not in names
        ]
        found += [
            f"history.samples: rule {rule.name}: there is no camera {rule.camera}; cameras: "
            f"{', '.join(sorted(names))}"
            for rule in (self.history.samples.rules if self.history.samples else ())
            if rule.camera is not None and rule.camera not in names
        ]
        size = len((self.alerts.variable() + self.history.variable()).encode())
        if size > MAX_VARIABLE_BYTES:
            found.append(
                f"history: with alerts {size} bytes in the group, limit {MAX_VARIABLE_BYTES}; use "
                "fewer rules or shorter names"
            )
        found += core_problems(self.name, self.core, self.cores, self.cameras)
        return [*found, *source_problems(self.cameras)]

    @property
    def sourced(self) -> tuple[Camera, ...]:
        """The cameras that the device fetches pictures from."""
        return tuple(camera for camera in self.cameras if camera.source is not None)

    def with_model(self, s3_uri: str | None, footprint: Footprint | None = None) -> Site:
        """The same site running another package (`cdk deploy -c model=…`); None keeps a value.

        Raises InvalidInput for what is not an S3 URI of a package.
        """
        if s3_uri and not re.fullmatch(MODEL_URI, s3_uri):
            message = f"{s3_uri!r} is not allowed; allowed: {MODEL_URI_WORDS}."
            raise InvalidInput([Finding("FF004", "error", "model", message, "Correct the URI.")])
        model = Model(
            s3_uri=s3_uri or self.model.s3_uri, footprint=footprint or self.model.footprint
        )
        return self.model_copy(update={"model": model})

    def with_certificates(self, certificates: dict[str, str]) -> Site:
        """The same site with certificates filled in by thing name; given ones stay."""

        def certified(record: Held, thing: str) -> Held:
            known = record.certificate or certificates.get(thing)
            return record.model_copy(update={"certificate": known})

        thing = self.core.thing
        return self.model_copy(
            update={
                "core": certified(self.core, thing),
                "console": certified(self.console, f"{thing}-{CONSOLE}"),
                "cameras": tuple(certified(c, f"{thing}-{c.name}") for c in self.cameras),
            }
        )
