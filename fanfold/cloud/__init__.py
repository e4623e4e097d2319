"""A site's life in the cloud: reach it, look before a deployment, read back, go back."""
