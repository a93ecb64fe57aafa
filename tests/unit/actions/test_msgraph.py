"""A path of Microsoft Graph is the same operation in whichever of its spellings it is sent."""

import gzip
import json

import pytest
from asked import asked
from mined import packed

from outgate.actions.identify import identify
from outgate.actions.mined import Mined, Part
from outgate.actions.protocols.msgraph import plainly
from outgate.actions.service_file import compile_catalog
from outgate.document import parse

ROUTES = [
    ("users.list", "GET", "/users", "", "", []),
    ("users.get", "GET", "/users/{user_id}", "", "", []),
    ("users.delete", "DELETE", "/users/{user_id}", "", "", []),
    ("users.delta", "GET", "/users/delta", "", "", []),
    ("users.sendMail", "POST", "/users/{user_id}/sendmail", "", "", []),
    ("users.messages.get", "GET", "/users/{user_id}/messages/{message_id}", "", "", []),
    ("reports.usage", "GET", "/reports/getusage", "", "", []),
    ("drives.items.get", "GET", "/drives/{drive_id}/items/{item_id}", "", "", []),
    ("drives.items.content.set", "PUT", "/drives/{drive_id}/items/{item_id}/content", "", "", []),
    ("drives.items.children.list", "GET", "/drives/{drive_id}/items/{item_id}/children", "", "", []),
    ("workbook.range.clear", "POST", "/drives/{drive_id}/items/{item_id}/workbook/range/clear", "", "", []),
]
TEXT = "outgate: service/v1alpha\nservice: msgraph\nspeaks: msgraph\nhosts: [graph.microsoft.com]\n"
MINED = Mined((Part("msgraph", "", packed("msgraph", ROUTES, meta={"folded": True})),))
NAMES = {"user_id", "message_id", "drive_id", "item_id"}
ROOT = "root"
"""The item at the top of a drive; not at the top of a disk."""
CATALOG = compile_catalog([parse(TEXT, "msgraph.yaml")], {"msgraph": MINED}, NAMES)


def only(line):
    (action,) = identify(asked(line.replace(" /", " https://graph.microsoft.com/", 1)), CATALOG)
    return action


@pytest.mark.parametrize(
    ("line", "name", "params"),
    [
        ("GET /v1.0/users", "users.list", {}),
        ("GET /beta/users", "users.list", {}),
        ("GET /V1.0/Users", "users.list", {}),
        ("GET /v1.0/users/Ab", "users.get", {"user_id": "Ab"}),
        ("GET /v1.0/users('Ab')", "users.get", {"user_id": "Ab"}),
        ("GET /v1.0/users%28%27Ab%27%29", "users.get", {"user_id": "Ab"}),
        ("DELETE /v1.0/USERS('Ab')", "users.delete", {"user_id": "Ab"}),
        ("GET /v1.0/users/delta()", "users.delta", {}),
        ("GET /v1.0/users/microsoft.graph.delta()", "users.delta", {}),
        ("GET /v1.0/me", "users.get", {"user_id": "me"}),
        ("POST /v1.0/Me/sendMail", "users.sendMail", {"user_id": "Me"}),
        ("POST /v1.0/me/Microsoft.Graph.sendMail", "users.sendMail", {"user_id": "me"}),
        ("GET /v1.0/me/messages/AAMk%3D", "users.messages.get", {"user_id": "me", "message_id": "AAMk="}),
        ("GET /v1.0/reports/getUsage(period='D7')", "reports.usage", {}),
        ("GET /v1.0/drives/d/items/i", "drives.items.get", {"drive_id": "d", "item_id": "i"}),
        ("GET /v1.0/me/drive/items/i", "drives.items.get", {"drive_id": "me", "item_id": "i"}),
        ("GET /v1.0/drive/items/i", "drives.items.get", {"drive_id": "me", "item_id": "i"}),
        (f"GET /v1.0/sites/s/drive/{ROOT}/children", "drives.items.children.list", {"drive_id": "s", "item_id": "root"}),
        ("PUT /v1.0/me/drive/root:/a/b.txt:/content", "drives.items.content.set", {"drive_id": "me", "item_id": "root:/a/b.txt"}),
        ("GET /v1.0/drives/d/root:/a/b.txt", "drives.items.get", {"drive_id": "d", "item_id": "root:/a/b.txt"}),
        ("PUT /v1.0/drives/d/items/i:/b.txt:/content", "drives.items.content.set", {"drive_id": "d", "item_id": "i:/b.txt"}),
        (
            "POST /v1.0/drives/d/items/i/workbook/range(address='A1')/clear",
            "workbook.range.clear",
            {"drive_id": "d", "item_id": "i"},
        ),
    ],
)
def test_the_operation_of_a_path(line, name, params):
    action = only(line)
    assert (action.name, dict(action.params)) == (f"msgraph.{name}", params)


@pytest.mark.parametrize(
    "line", ["POST /v1.0/unheard", "DELETE /v1.0/users", "POST /v2.0/me/sendMail", "POST /users('x')/sendMail"]
)
def test_what_no_way_leads_anywhere_is_unmapped(line):
    assert not only(line).mapped


def test_what_is_plain_already_stays():
    service = CATALOG.at("graph.microsoft.com").main
    plain = plainly(asked("GET https://graph.microsoft.com/v1.0/users('Ab')"), service)
    assert plain.path == "/users/Ab"
    assert plainly(plain, service) == plain


def test_many_brackets_are_not_tried_in_every_way():
    path = "/v1.0/users('a')" + "/x('b')" * 200
    assert not only(f"GET {path}").mapped


def test_what_is_found_below_a_first_segment_has_a_part_of_its_own():
    users, rest = ([one for one in ROUTES if one[2].startswith("/users") is below] for below in (True, False))
    parts = tuple(Part("msgraph", name, packed("msgraph", one, part=name)) for name, one in (("users", users), ("", rest)))
    whole = Mined(parts, (("/users", "users"),))
    assert whole.at("graph.microsoft.com", "/Users/7").name == "users"
    assert whole.at("graph.microsoft.com", "/reports/x").name == ""
    assert json.loads(gzip.decompress(parts[0].packed))["part"] == "users"
