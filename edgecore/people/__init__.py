"""Who may look and act: users and their roles, log-ins, and the audit log (docs/spec/access.md)."""
