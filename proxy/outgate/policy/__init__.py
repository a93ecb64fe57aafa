"""What an operator wrote, and what follows from it for one request."""
