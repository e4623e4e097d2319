"""The HTTP interface that Lambdas speak to the core (docs/spec/ipc.md)."""
