"""The text of a new site's file, with a comment for what a person will want to change. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

SCHEMA = "# yaml-language-server: $schema={}\n"
TARGETS = {
    "v1": "a Greengrass V1 group; the embedded core runs it here or from a V1 endpoint",
    "iot": "living AWS services: an IoT job, a device that holds nothing but its certificate",
    "v2": "Greengrass V2 components for AWS's nucleus",
}
COMPONENTS = """\
# The device's libraries, as `fanfold bundle --runtime-zip` names them; what else Greengrass V2 runs
# there goes below `beside`, or a deployment uninstalls it (docs/guides/greengrass-v2.md).
# components:
#   runtimes: ["build/bundles/fanfold-runtime-….zip"]
#   beside: {aws.greengrass.Cli: {version: 2.13.0}}
"""


@dataclass(frozen=True, kw_only=True)
class FirstSite:
    """What a new site's file says. `model`: S3 URI; empty: a place for one. `schema`: a path."""

    name: str
    profile: str
    account: str
    region: str
    thing: str
    target: str
    cameras: Sequence[str]
    images: str
    state: str
    model: str = ""
    schema: str = ""


def text_of(site: FirstSite) -> str:
    """YAML; every value is quoted as JSON where YAML could take it for something else."""
    q = json.dumps
    model = q(site.model or f"s3://{site.name}-models/models/my-model/1.0.0.tar.gz")
    cameras = "\n".join(f"  - name: {q(name)}" for name in site.cameras)
    return f"""{site.schema and SCHEMA.format(site.schema)}\
# Made by `fanfold init`. Every field: docs/spec/profile-and-site.md
name: {q(site.name)}
# The hardware: device_profiles/{site.profile}.yaml, found by `fanfold detect`.
profile: {q(site.profile)}
# The AWS account and region; the development cloud takes any.
account: {q(site.account)}
region: {q(site.region)}
# How the group reaches the device: v1, iot or v2.
# {site.target}: {TARGETS[site.target]}.
target: {site.target}
core:
  thing: {q(site.thing)}
{COMPONENTS if site.target == "v2" else ""}\
# The package in S3 that `fanfold deploy` brings: put here what `fanfold model publish` prints.
# `fanfold run {site.name} --model PACKAGE.tar.gz` takes a file instead.
model:
  s3_uri: {model}
# One stream each. With `source: "rtsp://…"` the device fetches the pictures itself.
cameras:
{cameras}
# Folders of the device. Pictures are also taken from drop/CAMERA below the images folder.
volumes:
  images: {q(site.images)}
  state: {q(site.state)}
# pinned, decoupled, pool or on_demand: docs/guides/strategies.md
strategy: pinned
# auto: as many as cores, GPUs and memory allow; `fanfold tune {site.name}` measures what is best.
workers: auto
"""
