"""What moto lacks for a Greengrass V1 site, added from outside: see each module's heading.

Everything here reaches into moto's insides, so `guard.check()` refuses another moto.
"""

from devcloud.plugin import (
    buckets,
    cores,
    custom_resources,
    greengrass_api,
    greengrass_types,
    guard,
    iot_types,
    lambdas,
    modules,
    stacks,
    templates,
    topic_rules,
    watching,
    window,
)


def install(endpoint_url: str) -> None:
    """Patch moto in this process. `endpoint_url` is where this process will be reached."""
    guard.check()
    modules.install()
    templates.install()
    stacks.install()
    greengrass_api.install()
    greengrass_types.install()
    iot_types.install()
    topic_rules.install()
    watching.install()
    buckets.install()
    lambdas.install(endpoint_url)
    custom_resources.install(endpoint_url)
    window.install()
    cores.install()
