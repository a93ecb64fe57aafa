"""The embedded plane: mitmproxy, made to fail closed."""

import os

# mitmproxy reads these once, at import, and would write every TLS secret to the file named there
for _name in ("SSLKEYLOGFILE", "MITMPROXY_SSLKEYLOGFILE"):
    os.environ.pop(_name, None)
