"""Names, addresses, upstream trust: the destinations table applied."""
