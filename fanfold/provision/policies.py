"""AWS IoT policies: what a core and a device may do, by their own names only."""

from __future__ import annotations

from typing import Any

Policy = dict[str, Any]


def core_policy(region: str, account: str, thing: str, site: str) -> Policy:
    """A core connects as itself, speaks on its site's cloud topics and its own shadows.

    The Greengrass actions are those that a V1 core calls; they know no narrower resource
    than the account's Greengrass.
    """
    iot = f"arn:aws:iot:{region}:{account}"
    own = (f"fanfold/{site}/*", f"$aws/things/{thing}/*", f"$aws/things/{thing}-gda/*")
    return _policy(
        _allow(["iot:Connect"], [f"{iot}:client/{thing}", f"{iot}:client/{thing}-gda"]),
        _allow(["iot:Publish", "iot:Receive"], [f"{iot}:topic/{topic}" for topic in own]),
        _allow(["iot:Subscribe"], [f"{iot}:topicfilter/{topic}" for topic in own]),
        _allow(
            ["iot:GetThingShadow", "iot:UpdateThingShadow", "iot:DeleteThingShadow"],
            [f"{iot}:thing/{thing}", f"{iot}:thing/{thing}-gda"],
        ),
        _allow(
            [
                "greengrass:AssumeRoleForGroup",
                "greengrass:CreateCertificate",
                "greengrass:GetDeployment",
                "greengrass:GetDeploymentArtifacts",
                "greengrass:UpdateCoreDeploymentStatus",
                "greengrass:GetConnectivityInfo",
                "greengrass:UpdateConnectivityInfo",
            ],
            [f"arn:aws:greengrass:{region}:{account}:/greengrass/*"],
        ),
    )


def device_policy(region: str, account: str, thing: str) -> Policy:
    """A camera finds its core and connects as itself; it has nothing to say to the cloud."""
    iot = f"arn:aws:iot:{region}:{account}"
    return _policy(
        _allow(["greengrass:Discover"], [f"{iot}:thing/{thing}"]),
        _allow(["iot:Connect"], [f"{iot}:client/{thing}"]),
    )


def _policy(*statements: Policy) -> Policy:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _allow(actions: list[str], resources: list[str]) -> Policy:
    return {"Effect": "Allow", "Action": actions, "Resource": resources}
