import sys

from device.install.uninstall import main

sys.exit(main())
