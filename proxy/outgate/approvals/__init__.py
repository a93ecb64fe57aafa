"""A paused request and the signatures it needs; what is signed; when there are enough. No I/O."""
