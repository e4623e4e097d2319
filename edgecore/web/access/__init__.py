"""Who may ask what over HTTP (docs/spec/access.md)."""
