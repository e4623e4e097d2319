"""From an MXNet package to ONNX Runtime, OpenVINO and int8 (docs/guides/compile.md)."""
