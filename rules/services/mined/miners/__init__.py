"""Miners: one module a family. `mine(archive, …)` reads facts out of packages by their text and never imports them."""
