"""Target iot: an AWS IoT job, a role alias and a policy; the device holds a certificate alone."""

from infra.targets.iot.names import IotNames
from infra.targets.iot.policy import core_policy, role_statements
from infra.targets.iot.request import group_document, job_settings

__all__ = ["IotNames", "core_policy", "group_document", "job_settings", "role_statements"]
