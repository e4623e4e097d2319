"""Whether the images volume takes something: asked of the place where it would go."""

from __future__ import annotations

import errno
import os

from contract.volumes import INBOX
from lambdas.splitter.volume import LOOK_EVERY_S, Volume


def test_an_inbox_that_is_no_folder_refuses_until_it_is_one_again(tmp_path):
    volume = Volume(str(tmp_path), "", lambda identity: None)
    volume.look(0.0, empty=True)
    (tmp_path / INBOX).symlink_to(tmp_path)
    volume.failed(OSError(errno.ELOOP, os.strerror(errno.ELOOP)))
    volume.look(LOOK_EVERY_S, empty=True)

    assert volume.describe()["state"] == "refuses"
    assert f"{INBOX} must be a folder" in volume.describe()["detail"]

    (tmp_path / INBOX).unlink()
    volume.look(2 * LOOK_EVERY_S, empty=True)

    assert volume.describe() == {"state": "ready"}
