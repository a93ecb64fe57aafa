"""Composition root: builds everything; the only reader of environment, clock and randomness."""
