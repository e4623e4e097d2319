"""What the core says about itself: Prometheus metrics and the verdict behind ``/ready``.

Everything here is a function of the ``/api/status`` object (docs/spec/core.md) and of the
ordered results that pass the router; nothing here reaches into the core.
"""
