"""Requests as other programs write them down: a curl command line, an HAR file, the bytes of HTTP/1.1."""
