"""Change sets, which `cdk deploy` uses by default and names alike for every stack.

moto 5.2 looks them up by name alone, applies them without outputs or failures, and
cannot delete one that is not there, which the CLI does before each deployment.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from devcloud.plugin.plain import as_moto_wrote

_importing: ContextVar[bool] = ContextVar("importing", default=False)


def importing() -> bool:
    """Whether the change set that is being applied takes over resources that exist."""
    return _importing.get()


def install() -> None:
    from moto.cloudformation import models, responses

    plain_create = as_moto_wrote(responses.CloudFormationResponse, "create_change_set")

    def create_change_set(self: Any) -> Any:
        answer = plain_create(self)
        made = _newest(self.cloudformation_backend, answer.result["Id"], None)
        made.imports = self._get_bool_param("ImportExistingResources", False)
        return answer

    responses.CloudFormationResponse.create_change_set = create_change_set

    models.ChangeSet.apply = _apply
    models.CloudFormationBackend.execute_change_set = _execute
    responses.CloudFormationResponse.delete_change_set = _respond_delete
    responses.CloudFormationResponse.describe_change_set = _respond_describe


def _find(backend: Any, name_or_arn: str, stack_name: str | None) -> list[str]:
    """ARNs of the change sets meant, newest last."""
    return [
        arn
        for arn, change_set in backend.change_sets.items()
        if name_or_arn == arn
        or (
            name_or_arn == change_set.change_set_name
            and stack_name in (None, change_set.stack_name, change_set.stack_id)
        )
    ]


def _newest(backend: Any, name_or_arn: str, stack_name: str | None) -> Any:
    from moto.cloudformation.exceptions import CloudFormationError

    found = _find(backend, name_or_arn, stack_name)
    if not found:
        error = CloudFormationError(f"ChangeSet [{name_or_arn}] does not exist")
        error.code = "ChangeSetNotFound"  # the CLI takes any other code for a failure
        raise error
    return backend.change_sets[found[-1]]


def _apply(self: Any) -> None:
    if self.change_set_type == "UPDATE":
        self.stack.update(self.template, self.role_arn, self.parameters, self.tags)
        return
    self.stack.template = self.template
    self.stack._parse_template()
    self.stack.resource_map = self.stack._create_resource_map()
    self.stack.output_map = self.stack._create_output_map()
    self.stack.create_resources()


def _execute(self: Any, change_set_name: str, stack_name: str | None = None) -> None:
    change_set = _newest(self, change_set_name, stack_name)
    token = _importing.set(getattr(change_set, "imports", False))
    try:
        change_set.apply()
    finally:
        _importing.reset(token)
    change_set.execution_status = "EXECUTE_COMPLETE"


def _respond_describe(self: Any) -> Any:
    from moto.core.responses import ActionResult

    name, stack = self._get_param("ChangeSetName"), self._get_param("StackName")
    return ActionResult(_newest(self.cloudformation_backend, name, stack))


def _respond_delete(self: Any) -> Any:
    from moto.core.responses import EmptyResult

    backend = self.cloudformation_backend
    name, stack = self._get_param("ChangeSetName"), self._get_param("StackName")
    for arn in _find(backend, name, stack):
        del backend.change_sets[arn]
    return EmptyResult()
