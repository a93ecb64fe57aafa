"""Reads bodies for the gate: small ones at once, in the loop; what takes long in a process of its own."""
