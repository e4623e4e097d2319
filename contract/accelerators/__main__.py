"""`python -m contract.accelerators [ROOT]`: the cards of this host as one JSON object.

A process of its own for whoever must not hang or die with a driver.
"""

from __future__ import annotations

import json
import sys

from contract.accelerators.cards import as_json
from contract.accelerators.looking import look

if __name__ == "__main__":
    json.dump(as_json(look(sys.argv[1] if len(sys.argv) > 1 else "/")), sys.stdout)
