"""What a device is given: the launcher, the installer, the units, and the bundle of all of it.

`launcher` and `install` run on the device before anything is installed: the standard library, on
every Python from 3.8 on. `bundle` runs at the workplace.
"""
