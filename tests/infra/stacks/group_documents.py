"""Group documents written by hand, so that a stack is tested without the planner."""

from __future__ import annotations

from typing import Any

ACCOUNT, REGION = "123456789012", "us-east-1"
MODEL_KEY = "models-of-greengrass/models/lite0/1.0.0-abc.tar.gz"


def function_arn(site: str, name: str) -> str:
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:fanfold-{site}-{name}:live"


def thing_arn(name: str) -> str:
    return f"arn:aws:iot:{REGION}:{ACCOUNT}:thing/{name}"


def thing(entry_id: str, name: str) -> dict[str, Any]:
    return {
        "Id": entry_id,
        "ThingName": name,
        "ThingArn": thing_arn(name),
        "CertificateArn": f"arn:aws:iot:{REGION}:{ACCOUNT}:cert/{'0' * 64}",
        "SyncShadow": False,
    }


def gpu_site(site: str = "line", workers: int = 2) -> dict[str, Any]:
    """A site with containers, GPUs, an outbox and CloudWatch logs: every rule at once."""
    names = ["splitter", *(f"w{i}" for i in range(workers)), "aggregator"]
    core = f"{site}-core"
    return {
        "Name": site,
        "Account": ACCOUNT,
        "Region": REGION,
        "Core": thing("core", core),
        "Devices": [thing("cam1", f"{core}-cam1"), thing("console", f"{core}-console")],
        "Functions": [*(_function(site, name) for name in names), _spooler()],
        "DefaultConfig": {"Execution": {"IsolationMode": "GreengrassContainer"}},
        "Resources": [_model(), _gpu(0), _volume("images", "/srv/fanfold/images")],
        "Subscriptions": _subscriptions(site, core, workers),
        "Loggers": [
            {
                "Id": "lambda-cloud",
                "Type": "AWSCloudWatch",
                "Component": "Lambda",
                "Level": "INFO",
                "Space": 8192,
            }
        ],
        "Lambdas": {
            function_arn(site, name): {
                "FunctionName": f"fanfold-{site}-{name}",
                "Handler": f"lambdas.{_role(name)}.handler.handler",
                "Runtime": "python3.8",
            }
            for name in names
        },
    }


def with_cloud(document: dict[str, Any]) -> dict[str, Any]:
    """The same site with a results store and a monitor."""
    site = document["Name"]

    def where(folder: str, topic: str) -> dict[str, str]:
        return {"Topic": f"fanfold/{site}/{topic}", "Prefix": f"{folder}/site={site}/"}

    results = {
        "Bucket": f"fanfold-{site}-{ACCOUNT}-{REGION}",
        "Create": True,
        "KeepDays": 730,
        "Batches": where("batches", "results"),
        "Jobs": where("jobs", "jobs"),
    }
    monitor = {
        "Topic": f"fanfold/{site}/health",
        "PeriodSeconds": 60,
        "NoResultsMinutes": 60,
        "FailedRecords": 10,
        "BacklogImages": 16_000,
        "WorkerRestarts": 3,
        "SnsTopic": None,
    }
    return {**document, "Cloud": {"Results": results, "Monitor": monitor}}


def _role(name: str) -> str:
    return "inference" if name.startswith("w") else name


def _function(site: str, name: str) -> dict[str, Any]:
    variables = {"FANFOLD_SITE": site, "FANFOLD_ROLE": _role(name)}
    if name.startswith("w"):
        variables["GPU_ID"] = str(int(name[1:]) % 2)
    if name == "aggregator":
        variables.update(FANFOLD_OUTBOX_BUCKET="results-bucket", FANFOLD_OUTBOX_PREFIX="out")
    return {
        "Id": name,
        "FunctionArn": function_arn(site, name),
        "FunctionConfiguration": {
            "Pinned": True,
            "MemorySize": 600_000,
            "Timeout": 30,
            "EncodingType": "binary" if name == "splitter" else "json",
            "Environment": {
                "Variables": variables,
                "AccessSysfs": True,
                "Execution": {"IsolationMode": "GreengrassContainer"},
                "ResourceAccessPolicies": [{"ResourceId": "model", "Permission": "ro"}],
            },
        },
    }


def _spooler() -> dict[str, Any]:
    return {
        "Id": "cloud-spooler",
        "FunctionArn": "arn:aws:lambda:::function:GGCloudSpooler:1",
        "FunctionConfiguration": {
            "Pinned": True,
            "MemorySize": 32_768,
            "Timeout": 3,
            "Executable": "spooler",
            "Environment": {"Variables": {"GG_CONFIG_STORAGE_TYPE": "FileSystem"}},
        },
    }


def _model() -> dict[str, Any]:
    data = {"S3Uri": f"s3://{MODEL_KEY}", "DestinationPath": "/fanfold/model"}
    return {
        "Id": "model",
        "Name": "model",
        "ResourceDataContainer": {"S3MachineLearningModelResourceData": data},
    }


def _gpu(index: int) -> dict[str, Any]:
    data = {
        "SourcePath": f"/dev/nvidia{index}",
        "GroupOwnerSetting": {"AutoAddGroupOwner": True},
    }
    return {
        "Id": f"gpu{index}",
        "Name": f"gpu{index}",
        "ResourceDataContainer": {"LocalDeviceResourceData": data},
    }


def _volume(name: str, path: str) -> dict[str, Any]:
    data = {
        "SourcePath": path,
        "DestinationPath": path,
        "GroupOwnerSetting": {"AutoAddGroupOwner": True},
    }
    return {
        "Id": name,
        "Name": name,
        "ResourceDataContainer": {"LocalVolumeResourceData": data},
    }


def _subscriptions(site: str, core: str, workers: int) -> list[dict[str, str]]:
    splitter, aggregator = function_arn(site, "splitter"), function_arn(site, "aggregator")
    routes = [
        (thing_arn(f"{core}-cam1"), f"{site}/images/cam1", splitter),
        (thing_arn(f"{core}-console"), f"{site}/images/+", splitter),
        (thing_arn(f"{core}-console"), f"{site}/control", splitter),
        (aggregator, f"fanfold/{site}/results", "cloud"),
    ]
    for index in range(workers):
        worker = function_arn(site, f"w{index}")
        routes.append((splitter, f"{site}/work/w{index}", worker))
        routes.append((worker, f"{site}/done", aggregator))
    return [
        {"Id": f"s{number}", "Source": source, "Subject": subject, "Target": target}
        for number, (source, subject, target) in enumerate(routes)
    ]
