"""Deployments that come as AWS IoT jobs (docs/spec/jobs.md)."""
