"""Who may talk to the development cloud: only who holds a key that this run gave out."""
