"""What this machine is made of, as a hardware profile."""
