"""The chained, signed record of decisions and outcomes; no I/O here."""
