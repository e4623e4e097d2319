"""A site's plan against this machine, and what is deployed here."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import platform
from pathlib import Path

from contract import limits
from fanfold.checks.gpus import gpus
from fanfold.checks.outcome import Outcome, Subject, error, ok, skipped, warning
from fanfold.localcore.running import read
from infra.planning import check, errors

_NO_SITE = "pass a site to check it: fanfold doctor SITE"
EXPIRES_SOON_DAYS = 30
CLOSE = 0.8


def plan_rules(subject: Subject) -> Outcome:
    """Every rule of a group, as `fanfold plan` shows them."""
    if subject.plan is None:
        return skipped(f"plan: {_NO_SITE}")
    wrong = errors(check(subject.plan))
    name = subject.plan.site.name
    if wrong:
        return error(f"plan of {name}: {len(wrong)} error(s)", f"See `fanfold plan {name}`.")
    return ok(f"plan of {name} passes every check")


def cores(subject: Subject) -> Outcome:
    """The profile's cores against this machine's."""
    if subject.plan is None:
        return skipped(f"cores: {_NO_SITE}")
    here, planned = len(os.sched_getaffinity(0)), subject.plan.profile.cpu_cores
    if here < planned:
        return warning(
            f"profile {subject.plan.profile.name} has {planned} cores, this machine {here}",
            "Expected on a development machine; on the device, write a profile for it.",
        )
    return ok(f"{here} cores, the profile has {planned}")


def architecture(subject: Subject) -> Outcome:
    """The profile's architecture against this machine's."""
    if subject.plan is None:
        return skipped(f"architecture: {_NO_SITE}")
    here = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
    if here != subject.plan.profile.architecture:
        return warning(
            f"profile is for {subject.plan.profile.architecture}, this machine is {here}",
            "Use the device's own profile.",
        )
    return ok(f"architecture {here}")


def mps(subject: Subject) -> Outcome:
    """With several copies on one GPU, NVIDIA's MPS can help; it must run to be used."""
    if subject.plan is None or not subject.plan.profile.accelerators:
        return skipped("MPS: no GPU in the plan")
    pipe = Path(os.environ.get("CUDA_MPS_PIPE_DIRECTORY", "/tmp/nvidia-mps"))  # noqa: S108
    asked = subject.plan.site.mps
    if (pipe / "control").exists():
        unused = "" if asked else "; the site does not use it (mps: true)"
        return ok(f"MPS is running ({pipe}){unused}")
    if asked:
        return error(
            f"the site has mps: true, and no MPS daemon at {pipe}",
            "nvidia-cuda-mps-control -d, or remove mps from the site.",
        )
    return skipped("MPS is not running; the article gained 0.2 ms per image with it")


def certificates(subject: Subject) -> Outcome:
    """The local broker's own certificates."""
    folder = subject.state / "ca" if subject.state else None
    files = sorted(folder.glob("*.crt")) + sorted(folder.glob("*.pem")) if folder else []
    if not files:
        return skipped("certificates: none yet")
    days_left = {file.name: days for file in files if (days := _days_left(file)) is not None}
    if not days_left:
        return skipped("certificates: none yet")
    name, days = min(days_left.items(), key=lambda item: item[1])
    renew = "Restart the core: it renews the certificates that it issued."
    if days < 0:
        return error(f"{name} expired {-days} days ago: devices cannot connect", renew)
    if days < EXPIRES_SOON_DAYS:
        return warning(f"{name} expires in {days} days", renew)
    return ok(f"{len(days_left)} certificate file(s) valid for {days} days or more")


def _days_left(file: Path) -> int | None:
    """Until its first certificate ends; None: there is none in it. Raises ValueError."""
    from cryptography import x509

    content = file.read_bytes()
    if b"BEGIN CERTIFICATE" not in content:
        return None
    ends = x509.load_pem_x509_certificate(content).not_valid_after_utc
    return (ends - dt.datetime.now(dt.timezone.utc)).days


def limits_close(subject: Subject) -> Outcome:
    """What the plan uses of Greengrass V1's quotas: four fifths is close."""
    if subject.plan is None:
        return skipped(f"limits: {_NO_SITE}")
    plan = subject.plan
    used = {
        limits.FUNCTIONS_PER_GROUP: len(plan.functions),
        limits.RESOURCES_PER_GROUP: len(plan.resources),
        limits.SUBSCRIPTIONS_PER_GROUP: len(plan.subscriptions),
        limits.DEVICES_PER_GROUP: len(plan.devices),
    }
    if plan.isolation == "container":
        most = plan.profile.containers.limit
        used[limits.CONTAINERS._replace(value=most)] = len(plan.functions)
    close = [f"{n} of {limit}" for limit, n in used.items() if n >= limit.value * CLOSE]
    if close:
        fix = "More load needs another strategy (`pool`) or a second site."
        return warning(f"close to a limit: {', '.join(close)}", fix)
    return ok(f"limits: {len(used)} quotas, all below {CLOSE:.0%}")


def cloud_backlog(subject: Subject) -> Outcome:
    """How full the running core's spool is: above it results are dropped by its policy."""
    core = read(subject.state) if subject.state else None
    if core is None:
        return skipped("cloud backlog: no core of this site is running here")
    cloud = core.get("/api/status")["cloud"]
    used, quota = cloud.get("spooled_bytes", 0), cloud.get("quota_bytes") or 1
    text = f"cloud backlog: {cloud.get('spooled', 0)} messages, {used / quota:.0%} of the spool"
    if used >= quota * CLOSE:
        return warning(text, "Restore the link, or allow the spooler more space in the site.")
    return ok(text)


def model_hash(subject: Subject) -> Outcome:
    """Every file of the deployed model against the hashes of its model.json."""
    if subject.state is None:
        return skipped(f"model: {_NO_SITE}")
    manifests = list((subject.state / "deployment" / "current" / "models").glob("*/model.json"))
    if not manifests:
        return skipped("model: nothing is deployed here")
    for manifest in manifests:
        for name, wanted in json.loads(manifest.read_text()).get("files", {}).items():
            file = manifest.parent / name
            found = hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else "nothing"
            if found != wanted:
                return error(
                    f"deployed model: {name} is {found[:12]}, not {wanted[:12]}", "Deploy again."
                )
    return ok("deployed model: every hash is correct")


SITE = (
    plan_rules,
    limits_close,
    cores,
    architecture,
    gpus,
    mps,
    certificates,
    model_hash,
    cloud_backlog,
)
