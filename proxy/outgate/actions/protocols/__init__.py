"""One module per protocol that can carry several actions in one request."""
