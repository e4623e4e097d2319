"""One site, two stacks, and their order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from constructs import Construct

from infra.stacks.assets import Assets
from infra.stacks.cloud_stack import CloudStack
from infra.stacks.deployment_stack import DeploymentStack
from infra.stacks.override import RuntimeOverride

DEFAULT_WAIT_S = 60


class SiteStacks:
    """`document` is the planner's (docs/spec/group-document.md). `wait_s` is how long a
    deployment is waited for before a core that is switched off is left to catch up.
    """

    def __init__(
        self,
        scope: Construct,
        *,
        document: Mapping[str, Any],
        assets: Assets,
        wait_s: int = DEFAULT_WAIT_S,
        override: RuntimeOverride | None = None,
    ) -> None:
        self.cloud = CloudStack(scope, document=document)
        self.deployment = DeploymentStack(
            scope, document=document, assets=assets, wait_s=wait_s, override=override
        )
        # What catches results is there before the first of them can come.
        self.deployment.add_stack_dependency(self.cloud)
