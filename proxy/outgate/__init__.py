"""Outgate: a transparent egress proxy for AI agents."""
