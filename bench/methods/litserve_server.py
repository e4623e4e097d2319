"""Peer: LitServe, one API worker per slot, HTTP on loopback, results in order.

Peers' interpreter (bench/requirements-peers.txt). Prints one JSON object.
"""

import http.client
import json
import multiprocessing
import socket
import threading
import time

import litserve

from bench.methods.peer import in_order, load, options, paths_of, report, timed

READY_TIMEOUT_S = 120


class Api(litserve.LitAPI):
    def __init__(self, folder, noop):
        super().__init__()
        self.folder, self.noop = folder, noop

    def setup(self, device):  # noqa: ARG002 - LitServe's signature
        self.process = load(self.folder, self.noop)
        self.process(None)

    def decode_request(self, request):
        return request["path"]

    def predict(self, path):
        return self.process(path)

    def encode_response(self, output):
        return {"score": output}


def serve(folder, noop, workers, port):
    server = litserve.LitServer(
        Api(folder, noop), accelerator="cpu", workers_per_device=workers, timeout=False
    )
    server.run(host="127.0.0.1", port=port, log_level="error", generate_client_file=False)


def client(port):
    """→ function(path) → score, one kept-open connection per thread."""
    local = threading.local()

    def send(path):
        if not hasattr(local, "connection"):
            local.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
        body = json.dumps({"path": path})
        local.connection.request("POST", "/predict", body, {"Content-Type": "application/json"})
        return json.loads(local.connection.getresponse().read())["score"]

    return send


def wait_ready(port):
    deadline = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
            connection.request("GET", "/health")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        time.sleep(0.2)
    raise SystemExit(f"LitServe was not ready in {READY_TIMEOUT_S} s")


def main():
    chosen = options(__doc__)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = (str(chosen.model), chosen.noop, chosen.workers, port)
    server = multiprocessing.get_context("spawn").Process(target=serve, args=arguments)
    server.start()
    try:
        wait_ready(port)
        send, paths = client(port), paths_of(chosen)
        in_order(send, paths[: chosen.workers], chosen.workers)
        _, total_s = timed(lambda: in_order(send, paths, chosen.workers * 2))
        report("litserve", chosen, total_s)
    finally:
        server.terminate()
        server.join(10)
        if server.is_alive():
            server.kill()


if __name__ == "__main__":
    main()
