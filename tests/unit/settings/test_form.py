"""outgate.settings.form"""

from __future__ import annotations

import json

from outgate.settings import json_schema


def test_editors_know_every_key():
    said = json.loads(json.dumps(json_schema()))
    assert set(said["properties"]) == {
        *("outgate", "agent", "policy", "enforce", "fence", "share", "direct", "services", "plugins", "mocks"),
        *("transparent", "transparent_ports"),
        *("networks", "destinations", "metrics", "body_limit", "limits", "log_level"),
        *("listen", "agents", "people", "hold", "drain", "admin", "admin_token_file", "notify"),
    }
    assert said["additionalProperties"] is False
