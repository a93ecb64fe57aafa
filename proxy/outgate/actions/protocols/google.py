"""Google: the pieces of an upload, sent by PUT to where it began, are the operation that began it.

Source: Google's guides to resumable uploads. A session's URL is that of its first request with `upload_id` in the query.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from outgate.actions.service import Service
    from outgate.intake.request import Request

_BEGUN_BY: Final = ("POST", "PATCH")
_SESSION: Final = re.compile(r"(?:^|&)upload_id=[^&]")


def plainly(request: Request, service: Service) -> Request:
    """Give a piece of an upload as the request that began it; any other request as it is."""
    if request.method != "PUT" or not request.path.startswith("/upload/") or not _SESSION.search(request.query or ""):
        return request
    ways = ("PUT", *_BEGUN_BY)
    method = next((way for way in ways if service.find(way, request.path, request.authority) is not None), "PUT")
    return request if method == "PUT" else replace(request, method=method)
