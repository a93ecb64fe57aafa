"""Requests to AWS for tests, signed as SDKs sign them; and what they are."""

import json
from functools import cache

from asked import asked

from outgate.actions.identify import identify
from outgate.actions.mined import Mined, Part
from outgate.actions.service_file import compile_catalog
from outgate.document import parse
from outgate.stores.shipped import shipped

KEY, OWNER = "ASIAQNZGKIQY56JQ7WML", "029608264753"
"""A key that is nobody's any more, and the account that it names."""


@cache
def catalog():
    return alone()


def alone():
    """What is known of AWS, and of nothing else: nothing in it was asked for yet."""
    folder = shipped("rules", "services")
    files = json.loads((folder / "mined" / "SOURCES.json").read_text())["files"]
    parts = (
        Part("aws", said["part"], (folder / "mined" / name).read_bytes(), name)
        for name, said in files.items()
        if said["service"] == "aws"
    )
    document = parse((folder / "aws.yaml").read_text(), "aws.yaml")
    return compile_catalog([document], {"aws": Mined(tuple(parts))})


def scope(service, region="eu-west-1", key=KEY):
    return f"{key}/20260102/{region}/{service}/aws4_request"


def signed(service, region="eu-west-1", key=KEY):
    """An Authorization header of Signature Version 4."""
    return f"AWS4-HMAC-SHA256 Credential={scope(service, region, key)}, SignedHeaders=host;x-amz-date, Signature={'0' * 64}"


def presigned(service, region="eu-west-1"):
    """The fields of a signed URL."""
    credential = scope(service, region).replace("/", "%2F")
    return (
        f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={credential}&X-Amz-Date=20260102T000000Z&X-Amz-Signature={'0' * 64}"
    )


def actions(line, *, sign="", region="eu-west-1", headers=None, **said):
    """Give what a request does; `sign` is the service that it is signed for."""
    lines = {**({"authorization": signed(sign, region)} if sign else {}), **(headers or {})}
    return identify(asked(line, headers=lines, **said), catalog())


def names(line, **said):
    return [action.name for action in actions(line, **said)]


def action(line, **said):
    """The one action that a request is."""
    (one,) = actions(line, **said)
    return one
