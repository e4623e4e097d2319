"""What the verbs that change something print with `--json`."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from fanfold.reference.answer import Versioned


class DeployAnswer(Versioned):
    site: str
    cloud: str = Field(description="AWS, or the development cloud's address.")
    deployment: str | None = Field(description="The deployment that is the newest now.")


class DestroyAnswer(Versioned):
    site: str
    cloud: str
    stacks: list[str] = Field(description="What was removed; empty: there was nothing.")
    kept: list[str] = Field(description="Buckets that outlive the stack.")


class ProvisionAnswer(Versioned):
    site: str
    keys: str = Field(description="Folder of the private keys.")
    certificates: dict[str, str] = Field(description="Thing → ARN of its certificate.")


class RunAnswer(Versioned):
    site: str
    pid: int
    thing: str
    ports: dict[str, int | None] = Field(description="ipc, mqtt, mqtt_plain, http; null: off.")
    deployment: str | None
    listen: dict[str, Any] | None = Field(
        description="With `--listen`: url, port and the certificate's fingerprint (SHA-256)."
    )


class StopAnswer(Versioned):
    site: str
    pid: int
    stopped: bool = Field(description="false: it still runs after the wait.")


class PublishAnswer(Versioned):
    topic: str
    message: str = Field(description="The core's answer.")


class PackAnswer(Versioned):
    path: str
    bytes: int
    sha256: str = Field(description="Of the archive.")


class SignAnswer(Versioned):
    path: str
    sha256: str = Field(description="Of the signed archive.")
    public_key: str = Field(description="What FANFOLD_MODEL_KEY of a device's profile names.")


class ImportAnswer(Versioned):
    group: str = Field(description="The group document that was written.")
    report: str
    functions: int
    subscriptions: int
    devices: int
    notes: list[str] = Field(description="What will not be honoured, and what is missing.")


class MigrateAnswer(Versioned):
    """Printed with exit code 2 as well, where something is to be added by hand."""

    site: str = Field(description="The site file that was written.")
    target: str
    report: str
    to_add: list[str]
    left_behind: list[str] = Field(description="What has no counterpart.")


class BenchAnswer(Versioned):
    report: str = Field(description="The REPORT.md that was written.")
    rows: list[dict[str, Any]] = Field(description="One for each measurement.")


ACTS: dict[str, type[Versioned]] = {
    "deploy": DeployAnswer,
    "destroy": DestroyAnswer,
    "provision": ProvisionAnswer,
    "run": RunAnswer,
    "stop": StopAnswer,
    "publish": PublishAnswer,
    "model pack": PackAnswer,
    "model sign": SignAnswer,
    "import": ImportAnswer,
    "migrate": MigrateAnswer,
    "bench": BenchAnswer,
}
"""Verb → its answer."""
