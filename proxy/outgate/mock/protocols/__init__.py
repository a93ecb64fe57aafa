"""Where an answer has a protocol's own form, whoever is asked."""
