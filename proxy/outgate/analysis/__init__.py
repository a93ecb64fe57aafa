"""Read logs, decide again, explain, suggest."""
