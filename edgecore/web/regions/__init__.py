"""Region of interest and ignore masks: what is deployed, and proposals for the site file."""
