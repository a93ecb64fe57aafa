"""Slack: the methods that its Web client knows. Each is called by POST or GET."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fetch import members
from miners.curated import curated
from write import Mined, Part

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_BOUND = re.compile(r"bindApiCall(?:WithOptionalArgument)?\)?\(this, ?['\"]([A-Za-z.]+)['\"]")
_MARKS = curated(
    {
        "s": """
            oauth.* tooling.tokens.rotate admin.analytics.getFile team.accessLogs admin.users.list users.list
            openid.connect.token rtm.*""",
        "b": "*.bulk*",
        "i": "admin.conversations.delete *.bulkDelete files.delete",
        "u": "admin.users.remove admin.users.session.* admin.apps.uninstall apps.uninstall admin.usergroups.*",
        "p": """
            files.sharedPublicURL admin.users.setAdmin admin.users.setOwner admin.users.invite conversations.inviteShared
            *convertToPublic""",
        "e": "chat.unfurl files.remote.add",
    }
)


def mine(archive: Path) -> Iterable[Part]:
    found = {name for _, source in members(archive, r"package/dist/methods\.js") for name in _BOUND.findall(source.decode())}
    operations = (
        Mined(name=name, method=method, template=f"/api/{name}", marks=_MARKS(name))
        for name in sorted(found)
        for method in ("GET", "POST")
    )
    yield Part(service="slack", operations=tuple(operations), meta={"rpc": True})
