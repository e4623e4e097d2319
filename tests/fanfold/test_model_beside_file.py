"""After `fanfold deploy --model` the site file names another model: the verb says what follows."""

from __future__ import annotations

from pathlib import Path

from fanfold.cloud.model_age import model_beside_file
from fanfold.common.project import read_site

NEW = "s3://plant/models/lite0/1.1.0.tar.gz"


def test_a_model_that_is_not_in_the_file_is_said_with_the_line_to_write() -> None:
    site, _ = read_site("demo")
    said = model_beside_file(site, site.with_model(NEW), Path("sites/demo.yaml"))

    assert said.startswith(f"demo.yaml still names {site.model.s3_uri}: write {NEW} there")


def test_the_files_own_model_is_no_news() -> None:
    site, _ = read_site("demo")

    assert not model_beside_file(site, site.with_model(site.model.s3_uri), Path("demo.yaml"))
