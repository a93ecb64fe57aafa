"""What makes the gate the only way out."""
