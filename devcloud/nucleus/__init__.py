"""A stand-in for a Greengrass V2 nucleus: runs rendered recipes as AWS's would, on this machine.

It holds to what was seen of nucleus lite 2.6.0 and read in the Java one (docs/spec/components.md):
variables, environment, installs before runs, SIGTERM to the whole group, three starts in an hour.
"""

from devcloud.nucleus.nucleus import Failed, Nucleus

__all__ = ["Failed", "Nucleus"]
