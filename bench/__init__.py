"""Measurements: ratios of interleaved methods within one run, never bare seconds across runs."""
