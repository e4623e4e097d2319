"""What a core that needs it not does not carry in memory."""

import subprocess
import sys

PROGRAM = """
import sys
import edgecore.__main__
import edgecore.web.pages
print("cryptography" in sys.modules)
"""


def test_a_core_without_certificates_users_and_signatures_has_no_cryptography_loaded():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
