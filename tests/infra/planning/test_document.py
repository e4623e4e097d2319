import json
import re

import botocore.session
import pytest
from botocore.validate import ParamValidator
from every import every
from plan_samples import STRATEGIES, plan, profile

from contract.limits import RUNTIME
from infra.planning import render

BARE = {"isolation": "none"}
SERVICE = botocore.session.get_session().get_service_model("greengrass")


def functions(document: dict) -> dict[str, dict]:
    return {each["Id"]: each["FunctionConfiguration"] for each in document["Functions"]}


def policies(document: dict, function: str) -> dict[str, str | None]:
    found = functions(document)[function]["Environment"]["ResourceAccessPolicies"]
    return {each["ResourceId"]: each.get("Permission") for each in found}


@pytest.mark.parametrize("isolation", ["container", "none"])
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("CreateFunctionDefinitionVersion", ["Functions", "DefaultConfig"]),
        ("CreateResourceDefinitionVersion", ["Resources"]),
        ("CreateSubscriptionDefinitionVersion", ["Subscriptions"]),
        ("CreateLoggerDefinitionVersion", ["Loggers"]),
    ],
)
def test_the_greengrass_api_takes_every_definition(operation, body, strategy, isolation):
    document = render(plan(strategy=strategy, isolation=isolation))

    shape = SERVICE.operation_model(operation).input_shape
    name = operation.removeprefix("Create").removesuffix("Version") + "Id"
    report = ParamValidator().validate({name: "x"} | {key: document[key] for key in body}, shape)
    assert not report.has_errors(), report.generate_report()
    for key in body:
        assert unknown_keys(document[key], shape.members[key]) == []


def unknown_keys(value, shape) -> list[str]:
    """Keys that the service does not know; botocore lets them pass in nested shapes."""
    if shape.type_name == "structure":
        known = {key: inner for key, inner in value.items() if key in shape.members}
        deeper = [key for k, v in known.items() for key in unknown_keys(v, shape.members[k])]
        return [key for key in value if key not in known] + deeper
    if shape.type_name == "list":
        return [key for each in value for key in unknown_keys(each, shape.member)]
    return []


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_same_plan_renders_the_same_document(strategy):
    first, second = (json.dumps(render(plan(strategy=strategy))) for _ in range(2))

    assert first == second


def test_in_containers_memory_is_given_and_each_worker_sees_its_own_gpu_only():
    document = render(plan())

    shared = {f"dev-nvidia{name}": "rw" for name in ("ctl", "-uvm", "-uvm-tools")}
    assert policies(document, "w1") == {
        "model": "ro",
        "images": "ro",
        "dev-nvidia1": "rw",
        **shared,
    }
    assert functions(document)["w1"]["MemorySize"] == 1_315_536
    assert functions(document)["w1"]["Environment"]["AccessSysfs"] is True
    assert document["DefaultConfig"]["Execution"]["IsolationMode"] == "GreengrassContainer"


def test_in_containers_the_splitter_and_the_aggregator_have_their_volumes_alone():
    document = render(plan())

    assert policies(document, "splitter") == {"images": "rw", "state": "rw"}
    assert policies(document, "aggregator") == {"state": "rw"}


def test_without_containers_no_memory_and_no_resource_but_the_model_with_an_owner():
    document = render(plan(**BARE))

    for function in ("splitter", "w0", "w1", "aggregator"):
        configuration = functions(document)[function]
        assert "MemorySize" not in configuration
        assert "AccessSysfs" not in configuration["Environment"]
    assert policies(document, "w0") == {"model": None}
    assert policies(document, "splitter") == {}
    [model] = document["Resources"]
    data = model["ResourceDataContainer"]["S3MachineLearningModelResourceData"]
    assert data["OwnerSetting"] == {"GroupOwner": "ggc_group", "GroupPermission": "ro"}


def test_in_containers_the_model_has_no_owner():
    resources = {each["Id"]: each["ResourceDataContainer"] for each in render(plan())["Resources"]}

    assert resources["model"]["S3MachineLearningModelResourceData"] == {
        "S3Uri": "s3://greengrass-press/models/defects/1.0.0.tar.gz",
        "DestinationPath": "/fanfold/model",
    }


def test_volumes_have_the_same_path_inside_and_outside():
    for resource in render(plan(strategy="decoupled"))["Resources"]:
        volume = resource["ResourceDataContainer"].get("LocalVolumeResourceData")
        if volume:
            assert volume["SourcePath"] == volume["DestinationPath"]


def test_system_functions_have_their_documented_shape():
    document = render(plan())

    assert functions(document)["ip-detector"] == {
        "Pinned": True,
        "MemorySize": 32768,
        "Timeout": 3,
    }
    assert functions(document)["cloud-spooler"] == {
        "Pinned": True,
        "MemorySize": 32768,
        "Timeout": 3,
        "Executable": "spooler",
        "Environment": {
            "Variables": {
                "GG_CONFIG_STORAGE_TYPE": "FileSystem",
                "GG_CONFIG_MAX_SIZE_BYTES": "1073741824",
                "GG_CONFIG_SUBSCRIPTION_QUALITY": "AtLeastOncePersistent",
            }
        },
    }


def test_every_user_function_has_its_code_named_and_no_system_function_has():
    document = render(plan())

    user = {
        f["FunctionArn"] for f in document["Functions"] if ":::function:" not in f["FunctionArn"]
    }
    assert set(document["Lambdas"]) == user
    assert document["Lambdas"][
        "arn:aws:lambda:eu-west-1:123456789012:function:fanfold-press-w0:live"
    ] == {
        "FunctionName": "fanfold-press-w0",
        "Handler": "lambdas.inference.handler.handler",
        "Runtime": RUNTIME,
    }


def test_the_splitter_is_binary_and_the_others_are_json():
    encodings = {k: v.get("EncodingType") for k, v in functions(render(plan())).items()}

    assert encodings["splitter"] == "binary"
    assert {encodings["w0"], encodings["aggregator"]} == {"json"}


@pytest.mark.parametrize(
    ("region", "partition"),
    [("us-east-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")],
)
def test_arns_are_in_the_regions_partition(region, partition):
    document = render(plan(region=region))

    assert document["Core"]["ThingArn"].startswith(f"arn:{partition}:iot:{region}:")
    assert every(arn.startswith(f"arn:{partition}:lambda:{region}:") for arn in document["Lambdas"])


def variables(strategy: str, function: str, **changed) -> dict[str, str]:
    found = functions(render(plan(strategy=strategy, **changed)))
    return found[function]["Environment"]["Variables"]


def test_decoupled_transforms_take_the_work_and_hand_tensors_to_any_worker():
    splitter = variables("decoupled", "splitter", transforms=3)
    transform = variables("decoupled", "t0", transforms=3)
    worker = variables("decoupled", "w1", transforms=3)

    assert splitter["FANFOLD_WORKERS"] == "t0,t1,t2"
    assert transform["FANFOLD_ROLE"] == "transform"
    assert transform["FANFOLD_INFERENCE_WORKERS"] == "w0,w1"
    assert transform["FANFOLD_TENSOR_TOPIC"] == "press/tensor/"
    assert worker["FANFOLD_TRANSFORM_WORKERS"] == "t0,t1,t2"
    assert transform["FANFOLD_SHM_DIR"] == worker["FANFOLD_SHM_DIR"]
    assert re.fullmatch(r"/dev/shm/fanfold-press-[0-9a-f]{8}", worker["FANFOLD_SHM_DIR"])
    assert transform["FANFOLD_TENSOR_SLOTS"] == "4"
    assert "GPU_ID" not in transform


def test_a_pool_is_one_function_that_finds_its_size_at_run_time_on_a_cpu():
    pool = functions(render(plan(on=profile("cpu-gateway-4core"), strategy="pool")))["pool"]
    gpu_pool = variables("pool", "pool")

    assert pool["Environment"]["Variables"]["FANFOLD_POOL_WORKERS"] == "auto"
    assert pool["Environment"]["Variables"]["FANFOLD_GPU_IDS"] == ""
    assert pool["MemorySize"] == 3 * 1_315_536
    assert (gpu_pool["FANFOLD_POOL_WORKERS"], gpu_pool["FANFOLD_GPU_IDS"]) == ("2", "0,1")
    assert variables("pool", "splitter")["FANFOLD_WINDOW"] == "4"


def test_on_demand_is_one_function_that_is_not_pinned_and_each_batch_starts_a_container():
    found = functions(render(plan(strategy="on_demand")))

    assert found["inference"]["Pinned"] is False
    assert found["inference"]["Environment"]["Variables"]["FANFOLD_ON_DEMAND"] == "1"
    assert found["splitter"]["Environment"]["Variables"]["FANFOLD_WINDOW"] == "2"


def test_copies_that_share_a_gpu_by_mps_share_its_threads():
    found = variables("pinned", "w3", copies_per_gpu=2, mps=True, **BARE)

    assert found["CUDA_MPS_ACTIVE_THREAD_PERCENTAGE"] == "50"
    assert found["CUDA_MPS_PIPE_DIRECTORY"] == "/tmp/nvidia-mps"


def test_hooks_reach_the_functions_that_touch_images():
    assert variables("pinned", "w0", hooks="acme.hooks")["FANFOLD_HOOKS"] == "acme.hooks"
    assert "FANFOLD_HOOKS" not in variables("pinned", "w0")


def test_a_site_without_a_cloud_has_no_route_to_it():
    document = render(plan(cloud={"mqtt": False}))

    assert "cloud" not in {each["Target"] for each in document["Subscriptions"]}
    aggregator = functions(document)["aggregator"]["Environment"]["Variables"]
    assert aggregator["FANFOLD_CLOUD_TOPIC"] == aggregator["FANFOLD_CLOUD_JOBS_TOPIC"] == ""


def test_cloudwatch_loggers_are_added_when_asked_for():
    loggers = render(plan(logging={"cloudwatch": True}))["Loggers"]

    assert [(each["Component"], each["Type"], "Space" in each) for each in loggers] == [
        ("GreengrassSystem", "FileSystem", True),
        ("Lambda", "FileSystem", True),
        ("GreengrassSystem", "AWSCloudWatch", False),
        ("Lambda", "AWSCloudWatch", False),
    ]
