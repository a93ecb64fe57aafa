"""`outgate demo`: look-alike services, an unmodified script, and what became of each of its calls."""
