"""What the core shows over HTTP on loopback: health, metrics, status, events, the page."""
