import sys

from device.install.__main__ import main

sys.exit(main())
