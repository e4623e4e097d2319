"""Making the archive that a device is installed from: `fanfold bundle`."""
