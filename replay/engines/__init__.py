"""Who runs shards: processes of this machine, or a Ray cluster."""
