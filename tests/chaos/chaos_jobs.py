"""The far side of a core that holds a certificate: a broker, jobs, a web server with artifacts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from broker_peer import Peer
from cable import Cable
from chaos_site import NAME, SITE
from jobs_cloud import Execution, JobsService
from mosquitto import Mosquitto
from own_ca import OwnCa
from served_files import Files, web_files

THING: str = SITE["core"]["thing"]
#: Keys are any: nothing here is on S3.
MODEL_URI = "s3://chaos-models/model.tar.gz"


class JobsSide:
    """As ``chaos_cloud.FarSide``, for a plant: ``deploy`` queues a job; ``records``.

    ``spoil`` may change the next document before it is queued.
    """

    def __init__(self, cable: Cable, peer: Peer, service: JobsService, files: Files) -> None:
        self.cable, self.service, self.files = cable, service, files
        self._peer = peer
        self.spoil: Callable[[dict[str, Any]], None] = lambda _document: None

    def deploy(self, document: dict[str, Any], model: Path) -> str:
        """The id of the deployment that it is when it has been applied."""
        number = len(self.service.executions) + 1
        job_id = f"d-{number}"
        self.queue(job_id, self._document(number, document, model))
        return f"job-{job_id}-1"

    def queue(self, job_id: str, document: dict[str, Any]) -> Execution:
        spoil, self.spoil = self.spoil, lambda _document: None
        spoil(document)
        one = self.service.queue(job_id, document)
        self.tell(job_id)
        return one

    def tell(self, job_id: str) -> None:
        self._peer.publish(
            f"$aws/things/{THING}/jobs/notify-next", {"execution": {"jobId": job_id}}
        )

    def _document(self, number: int, document: dict[str, Any], model: Path) -> dict[str, Any]:
        codes = {entry.pop("Code") for entry in document["Lambdas"].values()}
        for resource in document["Resources"]:
            data = resource["ResourceDataContainer"].get("S3MachineLearningModelResourceData")
            if data:
                data["S3Uri"] = MODEL_URI
        put = self.files.put
        return {
            "v": 1, "site": NAME, "issued_at": 1_800_000_000 + number,
            "group": put(f"group-{number}.json", json.dumps(document).encode()),
            "code": [
                {"arns": list(document["Lambdas"]), **put("code.zip", Path(code).read_bytes())}
                for code in codes
            ],
            "model": put(f"model-{number}.tar.gz", model.read_bytes()),
        }  # fmt: skip

    def records(self) -> list[dict[str, Any]]:
        found = self._peer.payloads(f"fanfold/{NAME}/results")
        return [{**r, "epoch": payload["epoch"]} for payload in found for r in payload["results"]]


@contextmanager
def jobs_side(folder: Path) -> Iterator[tuple[JobsSide, tuple[str, ...]]]:
    """And the arguments by which a core joins it."""
    ca, service = OwnCa(), JobsService()
    broker = Mosquitto(folder, ca).start()
    cable = Cable(broker.port)
    peer = Peer(folder, ca, broker.port, service)
    join = ca.join(folder, THING, cable.port, jobs=True, site=NAME)
    try:
        with web_files() as files:
            arguments = ("--join", str(join), "--function-user", "root")
            yield JobsSide(cable, peer, service, files), arguments
    finally:
        peer.stop()
        cable.close()
        broker.stop()
