"""What answers in the sandbox."""
