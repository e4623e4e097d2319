"""The folder above has the cloud."""
