"""What leaves for the cloud: a durable spool and the sinks that empty it (docs/spec/uplink.md)."""
