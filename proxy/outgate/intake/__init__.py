"""Who asks, and what is asked, in its only reading."""
