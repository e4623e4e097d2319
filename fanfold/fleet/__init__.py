"""Many sites at once: what each one's devices told the cloud, beside what its file says."""
