"""What the core's command line takes from its environment."""

from __future__ import annotations

import pytest

from edgecore.__main__ import parser


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [([], "http://localhost:5005"), (["--endpoint-url", "http://other"], "http://other")],
)
def test_a_development_cloud_of_the_shell_is_the_functions_too(monkeypatch, arguments, expected):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://localhost:5005")

    given = parser().parse_args(["--group", "greengrass:demo", *arguments])

    assert given.endpoint_url == expected
