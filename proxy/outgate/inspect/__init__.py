"""What data is in a request."""
