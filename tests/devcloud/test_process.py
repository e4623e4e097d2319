"""Starting, finding, stopping; and what is said when that cannot be."""

from __future__ import annotations

import json
import socket
import subprocess
import sys

import pytest

import devcloud
from devcloud.auth.signing import ask


def test_a_started_cloud_is_found_again_and_started_only_once(cloud):
    assert devcloud.find(cloud.state_dir) == cloud
    assert devcloud.start(port=0, state_dir=cloud.state_dir) == cloud


def test_another_port_for_a_running_cloud_is_refused(cloud):
    with pytest.raises(devcloud.DevCloudError, match=f"on port {cloud.port}"):
        devcloud.start(port=cloud.port + 1, state_dir=cloud.state_dir)


def test_a_taken_port_is_one_clear_message_and_exit_3(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(devcloud.DevCloudError, match=f"port {port}.*--port") as refused:
            devcloud.start(port=port, state_dir=tmp_path)

    assert refused.value.exit_code == 3
    assert "\n" not in str(refused.value)


def test_a_state_folder_of_a_dead_cloud_finds_nothing(tmp_path):
    (tmp_path / "devcloud.json").write_text(json.dumps({"pid": 1, "port": 1}))

    assert devcloud.find(tmp_path) is None


def test_env_prints_what_a_shell_can_evaluate(cloud):
    done = subprocess.run(
        [sys.executable, "-m", "devcloud", "env", "--state", str(cloud.state_dir)],
        capture_output=True,
        text=True,
        check=True,
    )

    assert f"export AWS_ENDPOINT_URL={cloud.url}" in done.stdout.splitlines()


def test_env_without_a_cloud_says_so_without_a_traceback(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "devcloud", "env", "--state", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "start it first" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_node_the_cdk_is_refused_with_the_remedy(monkeypatch):
    monkeypatch.setenv("PATH", "")

    with pytest.raises(devcloud.DevCloudError, match="Install Node") as refused:
        devcloud.cdk(["synth"])

    assert refused.value.exit_code == 3


def test_without_the_pinned_cli_npm_ci_is_named(tmp_path):
    with pytest.raises(devcloud.DevCloudError, match="npm ci") as refused:
        devcloud.cdk(["synth"], project=tmp_path)

    assert refused.value.exit_code == 3


def test_published_messages_can_be_read_back(cloud):
    data = cloud.client("iot-data")
    data.publish(topic="fanfold/read-back/results", payload=b'{"v":1}')
    data.publish(topic="other", payload=b"\x00\xff")

    found = cloud.messages("fanfold/read-back/")

    assert found == [{"topic": "fanfold/read-back/results", "payload_b64": "eyJ2IjoxfQ=="}]
    assert cloud.messages("other")[0]["payload_b64"] == "AP8="


def test_a_core_that_says_it_is_there_follows_its_group_until_it_says_it_leaves(cloud):
    def said(follows_s: float) -> list[str]:
        body = {"group": "of-a-core", "follows_s": follows_s, "deployments": {}}
        ask(f"{cloud.url}/moto-api/devcloud/cores", cloud.key, json.dumps(body).encode())
        return cloud.followed_groups()

    assert "of-a-core" not in cloud.followed_groups()
    assert "of-a-core" in said(60.0)
    assert "of-a-core" not in said(0.0)
