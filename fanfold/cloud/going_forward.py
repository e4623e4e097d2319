"""Where the stacks are as they were, a deployment that was rolled back is made again."""

from __future__ import annotations

from fanfold.cloud.access import Access
from fanfold.cloud.components import go_forward_by_components
from fanfold.cloud.stack import go_forward, go_forward_by_job, read_stack
from infra.planning import Site
from infra.planning.stack_names import deployment_stack_name


def go_forward_again(access: Access, wanted: Site, wait_s: int, job_before: str | None) -> None:
    """By the site's target. `job_before`: the newest of the stack's jobs before it was deployed."""
    if wanted.target == "iot":
        go_forward_by_job(access, wanted, wait_s, job_before)
    elif wanted.target == "v2":
        stack = read_stack(access, deployment_stack_name(wanted.name))
        go_forward_by_components(access, wanted, stack.outputs if stack else {}, wait_s)
    else:
        go_forward(access, wanted.name, wait_s)
