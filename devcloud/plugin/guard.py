"""The moto that this plugin was written against, and every symbol of it that it touches."""

from __future__ import annotations

import importlib
from importlib.metadata import version

MOTO = "5.2.5"

SYMBOLS = (
    "boto3.session:Session.get_available_regions",
    "botocore.session:Session._get_internal_component",
    "moto.backends:list_of_moto_modules",
    "moto.core.loaders:create_loader",
    "moto.core.responses:method_names_from_class",
    "moto.core.utils:create_loader",
    "moto.apigateway.models:OpenAPIValidationError",
    "moto.apigateway.models:validate",
    "moto.awslambda.models:LambdaFunction.get_code",
    "moto.awslambda.models:LambdaBackend.create_alias",
    "moto.awslambda.models:LambdaBackend.update_alias",
    "moto.awslambda.models:LambdaBackend.delete_alias",
    "moto.awslambda.models:LambdaBackend.publish_version",
    "moto.awslambda.utils:get_backend",
    "moto.cloudformation.models:ChangeSet.apply",
    "moto.cloudformation.models:CloudFormationBackend._resolve_update_parameters",
    "moto.cloudformation.models:CloudFormationBackend.execute_change_set",
    "moto.cloudformation.models:Event",
    "moto.cloudformation.models:Stack.create_resources",
    "moto.cloudformation.models:CloudFormationBackend.delete_stack",
    "moto.cloudformation.models:CloudFormationBackend.describe_stack_events",
    "moto.cloudformation.responses:CloudFormationResponse.delete_change_set",
    "moto.cloudformation.responses:CloudFormationResponse.describe_change_set",
    "moto.cloudformation.models:Stack.update",
    "moto.cloudformation.models:yaml",
    "moto.cloudformation.responses:yaml",
    "moto.cloudformation.models:Stack._create_output_map",
    "moto.cloudformation.models:Stack._create_resource_map",
    "moto.cloudformation.parsing:CustomModel",
    "moto.cloudformation.parsing:ResourceMap._delete_resource",
    "moto.cloudformation.parsing:ResourceMap.delete",
    "moto.cloudformation.parsing:ResourceMap.load_conditions",
    "moto.cloudformation.parsing:ResourceMap.load_parameters",
    "moto.cloudformation.parsing:ResourceMap.update",
    "moto.cloudformation.parsing:clean_json",
    "moto.cloudformation.parsing:get_model_map",
    "moto.cloudformation.parsing:get_name_type_map",
    "moto.cloudformation.parsing:parse_and_update_resource",
    "moto.greengrass.exceptions:IdNotFoundException",
    "moto.greengrass.models:FakeDeployment.__init__",
    "moto.greengrass.models:FakeDeploymentStatus.to_dict",
    "moto.greengrass.models:FakeFunctionDefinitionVersion.to_dict",
    "moto.greengrass.models:FakeGroupVersion.to_dict",
    "moto.greengrass.models:GreengrassBackend.create_group_version",
    "moto.greengrass.models:GreengrassBackend.delete_group",
    "moto.greengrass.models:GreengrassBackend.get_deployment_status",
    "moto.greengrass.responses:GreengrassResponse.dispatch",
    "moto.greengrass.urls:url_paths",
    "moto.iot.models:FakePolicy",
    "moto.iot.models:FakeThing",
    "moto.iot.models:IoTBackend.attach_policy",
    "moto.iot.models:IoTBackend.attach_thing_principal",
    "moto.iot.models:FakeRule",
    "moto.iot.models:IoTBackend.create_topic_rule",
    "moto.iot.models:IoTBackend.delete_topic_rule",
    "moto.iotdata.models:IoTDataPlaneBackend.publish",
    "moto.iotdata.models:iotdata_backends",
    "moto.cloudwatch.models:CloudWatchBackend.put_metric_alarm",
    "moto.cloudwatch.models:CloudWatchBackend.put_metric_data",
    "moto.logs.models:LogGroup.get_cfn_attribute",
    "moto.logs.models:LogsBackend.ensure_log_stream",
    "moto.logs.models:LogsBackend.put_log_events",
    "moto.logs.models:LogsBackend.put_metric_filter",
    "moto.cloudformation.responses:CloudFormationResponse.create_change_set",
    "moto.iam.models:IAMBackend.get_role_policy",
    "moto.s3.models:FakeBucket.create_from_cloudformation_json",
    "moto.moto_api._internal.urls:url_paths",
    "moto.moto_server.werkzeug_app:DomainDispatcherApplication",
    "moto.moto_server.werkzeug_app:MotoRequestHandler",
    "moto.moto_server.werkzeug_app:create_backend_app",
    "moto.iam.access_control:IAMPolicy.is_action_permitted",
    "moto.iam.access_control:PermissionResult",
    "moto.s3.models:FakeBucket.get_permission",
    "moto.s3.models:s3_backends",
    "werkzeug.routing:Rule._compile_builder",
    "yaml:Loader.yaml_multi_constructors",
)


class WrongMotoError(Exception):
    """The installed moto is not the one that the plugin knows."""


def check() -> None:
    """Raise WrongMotoError when the version differs, naming the symbols that are gone."""
    gone = missing()
    installed = version("moto")
    if installed == MOTO and not gone:
        return
    detail = f"; gone: {', '.join(gone)}" if gone else "; every symbol is still there"
    raise WrongMotoError(
        f"moto {installed} is installed, devcloud/plugin is written against {MOTO}{detail}. "
        f"Install moto=={MOTO}, or check devcloud/plugin against {installed} and change MOTO "
        "in devcloud/plugin/guard.py."
    )


def missing(symbols: tuple[str, ...] = SYMBOLS) -> list[str]:
    return [symbol for symbol in symbols if not _exists(symbol)]


def _exists(symbol: str) -> bool:
    module_name, _, path = symbol.partition(":")
    try:
        found = importlib.import_module(module_name)
    except ImportError:
        return False
    for name in path.split("."):
        if not hasattr(found, name):
            return False
        found = getattr(found, name)
    return True
