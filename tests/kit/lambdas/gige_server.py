"""A camera: Aravis's virtual GigE Vision one. Run by the system's Python, which has its bindings.

Usage: gige_server.py PIXEL_FORMAT; prints the address that it answers at, and serves until it ends.
"""

import sys

import gi

gi.require_version("Aravis", "0.8")
from gi.repository import Aravis, GLib  # noqa: E402

ADDRESS = "127.0.0.1"
PIXEL_FORMAT_REGISTER = 0x128


def main():
    server = Aravis.GvFakeCamera.new(ADDRESS, "GV01")
    if not server.is_running():
        sys.exit(1)
    number = getattr(Aravis, "PIXEL_FORMAT_" + sys.argv[1])
    server.get_fake_camera().write_register(PIXEL_FORMAT_REGISTER, number)
    print(ADDRESS, flush=True)
    GLib.MainLoop().run()


main()
