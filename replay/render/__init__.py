"""What others run: the shard function as an array of Kubernetes or of AWS Batch."""
