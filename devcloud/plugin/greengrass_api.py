"""What moto 5.2's Greengrass V1 API lacks and a group needs: loggers, a function
definition's `DefaultConfig`, group versions with loggers, and deployments that end.
"""

from __future__ import annotations

import json
import uuid
from typing import Any

from devcloud.plugin import cores
from devcloud.plugin.plain import as_moto_wrote

OUTCOMES = ("Building", "InProgress", "Success", "Failure")


def install() -> None:
    from moto.greengrass import models, responses, urls

    _patch_function_versions(models)
    _patch_group_versions(models)
    _patch_deployments(models)
    for name in ("create", "get", "update", "delete"):
        setattr(models.GreengrassBackend, f"{name}_logger_definition", _LOGGERS[name])
    models.GreengrassBackend.create_logger_definition_version = _create_logger_version
    plain_version = as_moto_wrote(responses.GreengrassResponse, "create_group_version")

    def create_group_version(self: Any) -> Any:
        answer = plain_version(self)
        made = self.greengrass_backend.get_group_version(
            self.path.split("/")[-2], json.loads(answer[2])["Version"]
        )
        made.logger_definition_version_arn = self._get_param("LoggerDefinitionVersionArn")
        return answer

    responses.GreengrassResponse.create_group_version = create_group_version
    responses.GreengrassResponse.create_logger_definition = _respond_new_logger
    responses.GreengrassResponse.get_logger_definition = _respond_logger
    responses.GreengrassResponse.get_logger_definition_version = _respond_logger_version
    loggers = "{0}/greengrass/definition/loggers"
    base = f"{loggers}/(?P<definition_id>[^/]+)"
    # moto drops every "$" on the way to its server's routes, so its own "$reset" has none.
    reset = "{0}/greengrass/groups/(?P<group_id>[^/]+)/deployments/(?P<reset>.reset)$"
    for path in (
        f"{loggers}$",
        f"{base}$",
        f"{base}/versions/(?P<definition_version_id>[^/]+)$",
        reset,
    ):
        urls.url_paths[path] = responses.GreengrassResponse.dispatch


def _patch_function_versions(models: Any) -> None:
    plain = as_moto_wrote(models.FakeFunctionDefinitionVersion, "to_dict")

    def to_dict(self: Any) -> dict[str, Any]:
        answer: dict[str, Any] = plain(self)
        if self.default_config:
            answer["Definition"]["DefaultConfig"] = self.default_config
        return answer

    models.FakeFunctionDefinitionVersion.to_dict = to_dict


def _patch_group_versions(models: Any) -> None:
    plain_create = as_moto_wrote(models.GreengrassBackend, "create_group_version")
    plain_dict = as_moto_wrote(models.FakeGroupVersion, "to_dict")

    def create_group_version(
        self: Any, group_id: str, *, logger_definition_version_arn: str | None = None, **arns: Any
    ) -> Any:
        version = plain_create(self, group_id, **arns)
        version.logger_definition_version_arn = logger_definition_version_arn
        return version

    def to_dict(self: Any, include_detail: bool = False) -> dict[str, Any]:
        answer: dict[str, Any] = plain_dict(self, include_detail)
        arn = getattr(self, "logger_definition_version_arn", None)
        if include_detail and arn:
            answer["Definition"]["LoggerDefinitionVersionArn"] = arn
        return answer

    models.GreengrassBackend.create_group_version = create_group_version
    models.FakeGroupVersion.to_dict = to_dict


def _patch_deployments(models: Any) -> None:
    """moto leaves every deployment `InProgress`; here it ends as `set_outcome` says.

    The default is `Success` at once; where a core follows the group, it is the core's to
    say (`devcloud.plugin.cores`). And a group with a deployment cannot be deleted before a
    reset, as in the service.
    """
    plain_init = as_moto_wrote(models.FakeDeployment, "__init__")
    plain_status = as_moto_wrote(models.FakeDeploymentStatus, "to_dict")
    plain_get = as_moto_wrote(models.GreengrassBackend, "get_deployment_status")
    plain_delete = as_moto_wrote(models.GreengrassBackend, "delete_group")

    def init(self: Any, account_id: str, region_name: str, *args: Any, **kwargs: Any) -> None:
        plain_init(self, account_id, region_name, *args, **kwargs)
        backend = models.greengrass_backends[account_id][region_name]
        self.deployment_status, self.error = getattr(backend, "outcome", ("Success", None))
        if self.deployment_status == "Success" and cores.is_followed(backend, self.group_id):
            self.deployment_status = "InProgress"
        if "Reset" in self.deployment_type:
            self.deployment_status, self.error = "Success", None

    def get_deployment_status(self: Any, group_id: str, deployment_id: str) -> Any:
        status = plain_get(self, group_id, deployment_id)
        status.error = self.deployments[deployment_id].error
        return status

    def to_dict(self: Any) -> dict[str, Any]:
        error = getattr(self, "error", None)
        return {**plain_status(self), **({"ErrorMessage": error} if error else {})}

    def delete_group(self: Any, group_id: str) -> None:
        kinds = [d.deployment_type for d in self.deployments.values() if d.group_id == group_id]
        if kinds and "Reset" not in kinds[-1]:
            raise models.GreengrassClientError(
                "400", f"group {group_id} is deployed: call ResetDeployments before deleting it"
            )
        plain_delete(self, group_id)

    models.FakeDeployment.__init__ = init
    models.FakeDeploymentStatus.to_dict = to_dict
    models.GreengrassBackend.get_deployment_status = get_deployment_status
    models.GreengrassBackend.delete_group = delete_group


def set_outcome(account: str, region: str, status: str, error: str | None) -> None:
    """How deployments made from now on end. Raises ValueError for an unknown status."""
    from moto.greengrass.models import greengrass_backends

    if status not in OUTCOMES:
        raise ValueError(f"deployment status {status!r} is none of {', '.join(OUTCOMES)}")
    greengrass_backends[account][region].outcome = (status, error)


class Logger:
    """A logger definition and its versions, shaped as the API answers."""

    def __init__(self, backend: Any, name: str) -> None:
        self.id = str(uuid.uuid4())
        self.name = name
        self.arn = (
            f"arn:aws:greengrass:{backend.region_name}:{backend.account_id}"
            f":greengrass/definition/loggers/{self.id}"
        )
        self.versions: dict[str, LoggerVersion] = {}
        self.latest_version = self.latest_version_arn = ""

    def to_dict(self) -> dict[str, Any]:
        return {
            "Arn": self.arn,
            "Id": self.id,
            "Name": self.name,
            "LatestVersion": self.latest_version,
            "LatestVersionArn": self.latest_version_arn,
        }


class LoggerVersion:
    def __init__(self, logger: Logger, loggers: list[dict[str, Any]]) -> None:
        self.version = str(uuid.uuid4())
        self.arn = f"{logger.arn}/versions/{self.version}"
        self.loggers = loggers
        self.definition_id = logger.id

    def to_dict(self) -> dict[str, Any]:
        return {
            "Arn": self.arn,
            "Id": self.definition_id,
            "Version": self.version,
            "Definition": {"Loggers": self.loggers},
        }


def _store(backend: Any) -> dict[str, Logger]:
    """Kept on the backend, so that moto's reset forgets them with the rest."""
    if not hasattr(backend, "logger_definitions"):
        backend.logger_definitions, backend.logger_definition_versions = {}, {}
    store: dict[str, Logger] = backend.logger_definitions
    return store


def _create_logger(self: Any, name: str, initial_version: dict[str, Any]) -> Logger:
    logger = Logger(self, name)
    _store(self)[logger.id] = logger
    _create_logger_version(self, logger.id, initial_version["Loggers"])
    return logger


def _create_logger_version(
    self: Any, definition_id: str, loggers: list[dict[str, Any]]
) -> LoggerVersion:
    logger = _get_logger(self, definition_id)
    version = LoggerVersion(logger, loggers)
    logger.versions[version.version] = version
    logger.latest_version, logger.latest_version_arn = version.version, version.arn
    return version


def _get_logger(self: Any, definition_id: str) -> Logger:
    from moto.greengrass.exceptions import IdNotFoundException

    if definition_id not in _store(self):
        raise IdNotFoundException("That loggers definition does not exist.")
    return _store(self)[definition_id]


def _update_logger(self: Any, definition_id: str, name: str) -> None:
    _get_logger(self, definition_id).name = name


def _delete_logger(self: Any, definition_id: str) -> None:
    del _store(self)[_get_logger(self, definition_id).id]


_LOGGERS = {
    "create": _create_logger,
    "get": _get_logger,
    "update": _update_logger,
    "delete": _delete_logger,
}


def _respond_new_logger(self: Any) -> tuple[int, dict[str, int], str]:
    initial = self._get_param("InitialVersion") or {"Loggers": []}
    made = _create_logger(self.greengrass_backend, self._get_param("Name") or "", initial)
    return 201, {"status": 201}, json.dumps(made.to_dict())


def _respond_logger(self: Any) -> str:
    definition_id = self.path.rstrip("/").split("/")[-1]
    return json.dumps(_get_logger(self.greengrass_backend, definition_id).to_dict())


def _respond_logger_version(self: Any) -> str:
    from moto.greengrass.exceptions import VersionNotFoundException

    *_, definition_id, _versions, version_id = self.path.rstrip("/").split("/")
    versions = _get_logger(self.greengrass_backend, definition_id).versions
    if version_id not in versions:
        raise VersionNotFoundException(f"Version {version_id} of {definition_id} does not exist.")
    return json.dumps(versions[version_id].to_dict())
