import sys

from device.launcher.__main__ import main

sys.exit(main())
