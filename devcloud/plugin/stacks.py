"""Stack operations the way CloudFormation does them.

moto 5.2 updates in the order remove, add, modify, compares raw JSON (so a changed `Ref`
does not reach its users), deletes in the order of a set, and leaves a failed stack
"in progress". Here: dependency order, resolved properties compared, old resources removed
in a clean-up phase, and a failure that rolls back and says why.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from devcloud.plugin import change_sets
from devcloud.plugin.dependencies import order

log = logging.getLogger("devcloud")


def install() -> None:
    from moto.cloudformation import models, parsing

    parsing.ResourceMap.update = _update_resources
    parsing.ResourceMap.delete = _delete_resources
    models.Stack.create_resources = _create_stack
    models.Stack.update = _update_stack
    models.CloudFormationBackend._resolve_update_parameters = _given_or_kept
    change_sets.install()
    models.CloudFormationBackend.delete_stack = _delete_by_name
    models.CloudFormationBackend.describe_stack_events = _events


class ResourceFailed(Exception):  # noqa: N818 (it is the resource that failed)
    """Creating, updating or deleting one resource failed; says which and why."""

    def __init__(self, logical_id: str, resource_type: str, operation: str, reason: str) -> None:
        super().__init__(f"{logical_id} ({resource_type}): {reason}")
        self.logical_id = logical_id
        self.resource_type = resource_type
        self.operation = operation
        self.reason = reason


def _attempt(resources: Any, name: str, operation: str, action: Callable[[], Any]) -> Any:
    try:
        return action()
    except ResourceFailed:
        raise
    except Exception as error:
        log.exception("%s %s", operation, name)
        resource_type = resources._resource_json_map.get(name, {}).get("Type", "?")
        reason = getattr(error, "message", None) or str(error) or type(error).__name__
        raise ResourceFailed(name, resource_type, operation, reason) from error


def _create_resources(resources: Any, template: dict[str, Any]) -> None:
    resources._template = template
    resources._resource_json_map = template["Resources"]
    for name in order(template["Resources"]):
        _attempt(resources, name, "CREATE", partial(resources.__getitem__, name))


def _update_resources(
    self: Any, template: dict[str, Any], parameters: dict[str, Any] | None = None
) -> None:
    old: dict[str, Any] = self._resource_json_map
    before = {name: _resolved(self, old[name]) for name in old if name in self._parsed_resources}
    self._template = template
    self._resource_json_map = new = template["Resources"]
    if parameters:
        self.input_parameters = _as_given(self, template, parameters)
    self.load_mapping()
    self.load_parameters()
    self.load_conditions()
    for name in order(new):
        if name not in before:
            _attempt(self, name, "CREATE", partial(self.__getitem__, name))
        elif _resolved(self, new[name]) != before[name]:
            _attempt(self, name, "UPDATE", partial(_modify, self, name))
    for name in reversed(order(old)):
        if name not in new:
            _attempt(self, name, "DELETE", partial(_delete, self, name, old[name]))


def _as_given(resources: Any, template: dict[str, Any], parameters: dict[str, Any]) -> Any:
    """The parameters with names of SSM parameters where moto put the values behind them.

    "Use the previous value" comes from moto as what the name resolved to, which is then
    looked up as if it were a name: every update of a bootstrapped stack would fail.
    """
    given = dict(parameters)
    for name, declared in template.get("Parameters", {}).items():
        is_name = str(declared.get("Type", "")).startswith("AWS::SSM::")
        if is_name and given.get(name) == resources.resolved_parameters.get(name):
            given.pop(name, None)
            if name in resources.input_parameters:
                given[name] = resources.input_parameters[name]
    return given


def _given_or_kept(
    _self: Any, instance: Any, incoming_params: list[dict[str, Any]]
) -> dict[str, Any]:
    """Parameters of an update. "Use the previous value" of one that was never given, as the
    CDK says of its bootstrap version, is the template's default again; moto would fail."""
    found = {}
    for parameter in incoming_params:
        key = parameter["ParameterKey"]
        if not parameter.get("UsePreviousValue"):
            found[key] = parameter["ParameterValue"]
        elif key in (instance.parameters or {}):
            found[key] = instance.parameters[key]
    return found


def _resolved(resources: Any, resource: dict[str, Any]) -> Any:
    from moto.cloudformation import parsing

    return parsing.clean_json(resource.get("Properties", {}), resources)


def _modify(resources: Any, name: str) -> None:
    from moto.cloudformation import parsing

    changed = parsing.parse_and_update_resource(
        name,
        resources._resource_json_map[name],
        resources,
        account_id=resources._account_id,
        region_name=resources._region_name,
    )
    if changed is not None:
        resources._parsed_resources[name] = changed


def _delete_resources(self: Any) -> None:
    old = self._resource_json_map
    for name in reversed(order(old)):
        _attempt(self, name, "DELETE", partial(_delete, self, name, old[name]))


def _delete(resources: Any, name: str, resource: dict[str, Any]) -> None:
    parsed = resources._parsed_resources.pop(name, None)
    if parsed is None or isinstance(parsed, str) or resource.get("DeletionPolicy") == "Retain":
        return
    try:
        resources._delete_resource(parsed, resource)
    except Exception:
        resources._parsed_resources[name] = parsed
        raise


def _create_stack(self: Any) -> None:
    self.status = "CREATE_IN_PROGRESS"
    try:
        _create_resources(self.resource_map, self.template_dict)
    except (ResourceFailed, ValueError) as error:
        _record_failure(self, error)
        _quietly(self.resource_map.delete)
        _finish(self, "ROLLBACK_COMPLETE")
        return
    self.description = self.template_dict.get("Description")
    _finish(self, "CREATE_COMPLETE")


def _update_stack(
    self: Any,
    template: str,
    role_arn: str | None = None,
    parameters: dict[str, Any] | None = None,
    tags: dict[str, str] | None = None,
) -> None:
    previous, previous_parameters = self.template, self.parameters
    self._add_stack_event("UPDATE_IN_PROGRESS", resource_status_reason="User Initiated")
    self.template = template
    self._parse_template()
    try:
        self.resource_map.update(self.template_dict, parameters)
    except (ResourceFailed, ValueError) as error:
        _record_failure(self, error)
        self.template = previous
        self._parse_template()
        _quietly(lambda: self.resource_map.update(self.template_dict, previous_parameters))
        _finish(self, "UPDATE_ROLLBACK_COMPLETE")
        return
    self.output_map = self._create_output_map()
    self.role_arn = role_arn
    self.parameters = parameters or self.parameters
    self.tags = tags if tags is not None else self.tags
    _finish(self, "UPDATE_COMPLETE")


def _delete_by_name(self: Any, name_or_stack_id: str) -> None:
    """A stack whose deletion failed stays, with the reason in its events."""
    for stack_id, stack in list(self.stacks.items()):
        if name_or_stack_id not in (stack_id, stack.name):
            continue
        exports = [export.name for export in stack.exports]
        stack._add_stack_event("DELETE_IN_PROGRESS", resource_status_reason="User Initiated")
        try:
            stack.resource_map.delete()
        except (ResourceFailed, ValueError) as error:
            _record_failure(stack, error)
            _finish(stack, "DELETE_FAILED")
            continue
        _finish(stack, "DELETE_COMPLETE")
        self.deleted_stacks[stack_id] = self.stacks.pop(stack_id)
        for name in exports:
            self.exports.pop(name, None)


def _events(self: Any, stack_name: str) -> list[Any]:
    """Also of a deleted stack, by its id: the CLI reads to the end while it deletes."""
    events: list[Any] = self.get_stack(stack_name).events
    return events


def _record_failure(stack: Any, error: Exception) -> None:
    if not isinstance(error, ResourceFailed):
        stack._add_stack_event("ROLLBACK_IN_PROGRESS", resource_status_reason=str(error))
        return
    from moto.cloudformation.models import Event

    stack.events.append(
        Event(
            stack_id=stack.stack_id,
            stack_name=stack.name,
            logical_resource_id=error.logical_id,
            physical_resource_id="",
            resource_type=error.resource_type,
            resource_status=f"{error.operation}_FAILED",
            resource_status_reason=error.reason,
            resource_properties=None,
        )
    )
    stack._add_stack_event("ROLLBACK_IN_PROGRESS", resource_status_reason=str(error))


def _quietly(action: Callable[[], Any]) -> None:
    """A rollback that fails as well must not hide the first failure."""
    try:
        action()
    except (ResourceFailed, ValueError):
        log.exception("rollback")


def _finish(stack: Any, status: str) -> None:
    stack.status = status
    stack._add_stack_event(status)
