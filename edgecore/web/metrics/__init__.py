"""What the core reports about itself: Prometheus metrics.

Everything here is a function of the ``/api/status`` object (docs/spec/core.md) and of the
ordered results that pass the router; nothing here reaches into the core.
"""
