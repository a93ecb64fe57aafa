"""The certificate authority of a gate, and how each runtime is told to trust it."""
