"""What of a site does not depend on the way to its device: things, results, alarms, dashboard.

A stack of its own, so that a deployment which is refused takes nothing of it down.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_cdk import CfnOutput, Environment, Stack
from constructs import Construct

from infra.planning.stack_names import cloud_id, cloud_stack_name
from infra.stacks.acknowledgements import CFN_LINT
from infra.stacks.identity import Things
from infra.stacks.iot.access import DeviceAccess
from infra.stacks.monitor import Monitor
from infra.stacks.results import Results
from infra.stacks.v2.access import CoreDeviceAccess


class CloudStack(Stack):
    """Wiring only. `document` is the planner's."""

    def __init__(self, scope: Construct, *, document: Mapping[str, Any]) -> None:
        site = document["Name"]
        super().__init__(
            scope,
            cloud_id(site),
            stack_name=cloud_stack_name(site),
            description=f"Fanfold site {site}: things, results, alarms and dashboard",
            env=Environment(account=document["Account"], region=document["Region"]),
        )
        Things(self, "Things", document=document)
        cloud = document.get("Cloud", {})
        if wanted := cloud.get("Results"):
            results = Results(self, "Results", site=site, settings=wanted)
            CfnOutput(self, "ResultsBucket", value=results.bucket_name)
            if results.prefix:
                CfnOutput(self, "ResultsPrefix", value=results.prefix)
        if wanted := cloud.get("Monitor"):
            Monitor(self, "Monitor", site=site, settings=wanted)
            CfnOutput(self, "Dashboard", value=f"fanfold-{site}")
        if target := document.get("Target"):
            kind = CoreDeviceAccess if target["Name"] == "v2" else DeviceAccess
            access = kind(self, "DeviceAccess", document=document)
            for name, value in access.outputs().items():
                CfnOutput(self, name, value=value)
        self.add_metadata("cfn-lint", CFN_LINT)
