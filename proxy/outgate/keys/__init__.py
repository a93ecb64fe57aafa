"""Verify and sign; no I/O."""
