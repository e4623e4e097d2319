"""A site's identities: one certificate and one narrow policy for its core and each device."""

from fanfold.provision.identities import Identities, Provisioned
from fanfold.provision.policies import core_policy, device_policy

__all__ = ["Identities", "Provisioned", "core_policy", "device_policy"]
