"""Functions as processes: started, watched, restarted, stopped."""
