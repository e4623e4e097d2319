"""Tensors handed from one process to another in shared memory (docs/spec/tensors.md)."""
