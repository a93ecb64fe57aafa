"""The embedded plane: mitmproxy, made to fail closed."""
