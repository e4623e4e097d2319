"""Ways to a device, one folder each: what it renders beside the group, and what it refuses. Pure.

`v1` is the group document itself in Greengrass's shapes (infra/stacks/definitions.py); `iot`
renders what an AWS IoT job and a device with a certificate need.
"""
