"""The Core component's `run`: finds the packages beside itself, and becomes the launcher."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "lib"))

from device.component.core import main

sys.exit(main())
