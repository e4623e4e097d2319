"""Blocks of the guides and of README, walked in their order; those that nothing runs, with why."""

from __future__ import annotations

import re
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

PROJECT = Path(__file__).parents[2]
GUIDES = PROJECT / "docs" / "guides"
README = "README.md"
#: What is printed, or drawn: there is nothing to run.
SHOWN = "text"
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)

#: Page → beginning of the block → why no test runs it where it stands.
NOT_RUN = {
    README: {
        "make demo": "tests/e2e/test_whole_loop.py runs what `make demo` runs; the tutorial a core",
        "fanfold init press-7": "one line a verb: its guide types it, or a test of tests/fanfold",
    },
    "cameras.md": {
        "fanfold send clip.mp4": "tests/fanfold/test_sending.py sends a clip that it makes",
    },
    "compile.md": {
        "fanfold model compile build/models/lite0": "tests/fanfold/test_model_compile.py types it "
        "with a network of a second",
        ".venv-device/bin/python -m bench.ssd_package": "needs the article's symbol, which is not "
        "part of the project",
    },
    "greengrass-v2.md": {
        "sudo install -d": "makes folders of a user that a nucleus brings",
        "fanfold bundle": "fetches 150 MB of wheels; tests/device/test_adopting.py packs a folder",
    },
    "moving-a-v1-group.md": {
        "python -m edgecore --group deployment": "needs the disk of a device that ran AWS's core",
        "fanfold migrate": "tests/fanfold/importing/test_migrate.py types it with a document",
    },
    "own-model.md": {
        "import torch": "needs PyTorch, 200 MB; walked by hand (docs/reliability.md)",
        "fanfold model new network.pt": "needs PyTorch, 200 MB; walked by hand",
    },
    "replay.md": {
        "fanfold replay --model build/models/lite0-1.1.0.tar.gz --from s3": "needs a plant's "
        "bucket; tests/replay/test_replay_s3.py has one by moto",
        "pip install 'fanfold[ray]'": "needs a cluster; tests/replay/test_replay_ray.py has one",
        "fanfold replay --render kubernetes": "needs Kubernetes; "
        "tests/replay/test_replay_policy.py checks what is printed",
    },
    "rollout.md": {
        "fanfold rollout": "tests/fanfold/cloud/test_rollout_in_the_cloud.py runs it over six "
        "sites",
    },
    "runtime-override.md": {
        "fanfold deploy demo --runtime-override": "asks the CDK three times for one template; "
        "tests/infra/stacks reads it",
    },
    "several-boxes.md": {
        "fanfold provision hall ": "tests/fanfold/cloud/test_boxes_by_cdk.py types it, with ports "
        "of their own",
        "fanfold plan hall                   # who": "tests/fanfold/cloud/test_boxes_by_cdk.py "
        "types it while images come",
    },
    "sites.md": {
        "fanfold sites": "tests/fanfold/cloud/test_sites_in_the_cloud.py runs it over four sites",
    },
    "systemd.md": {"sudo useradd": "changes the machine's users and services"},
    "tutorial.md": {"make setup": "it made the environment that this test runs in"},
}


class Block(NamedTuple):
    language: str
    body: str


def page(name: str) -> Path:
    return PROJECT / name if name == README else GUIDES / name


def pages() -> list[str]:
    return [README, *sorted(path.name for path in GUIDES.glob("*.md"))]


def all_blocks(name: str) -> list[Block]:
    return [Block(*found) for found in _BLOCK.findall(page(name).read_text("utf-8"))]


def to_run(name: str) -> list[Block]:
    """What a test walks: all but what is shown, and what the table says why not."""
    left_out = tuple(NOT_RUN.get(name, {}))
    return [
        each
        for each in all_blocks(name)
        if each.language != SHOWN and not each.body.startswith(left_out or ("\0",))
    ]


def blocks(name: str, language: str = "sh") -> list[str]:
    """Code blocks of one language, in order: for who needs one from another page."""
    return [each.body for each in all_blocks(name) if each.language == language]


class Walk:
    """A page's blocks in its order. It fails where another kind comes, and where one is left."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._left = to_run(name)

    def next(self, language: str = "sh") -> str:
        assert self._left, f"{self._name}: there is no further block"
        found = self._left.pop(0)
        assert found.language == language, f"{self._name}: not {language}: {found.body[:200]}"
        return found.body

    def __enter__(self) -> Walk:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        left = [each.body.splitlines()[0] for each in self._left]
        assert kind is not None or not left, f"{self._name}: nothing runs {left}"
