"""How a refusal reads in each protocol."""
