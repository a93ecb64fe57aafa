"""Pieces of an upload to Google are the operation that began it, and nothing else is."""

import pytest
from asked import asked
from mined import mined

from outgate.actions.identify import identify
from outgate.actions.service_file import compile_catalog
from outgate.document import parse

DRIVE = mined(
    "google",
    ("files.create", "POST", "/upload/drive/v3/files", "", "", []),
    ("files.update", "PATCH", "/upload/drive/v3/files/{file}", "", "", []),
    ("captions.insert", "POST", "/upload/youtube/v3/captions", "", "", []),
    ("captions.update", "PUT", "/upload/youtube/v3/captions", "", "", []),
    ("files.get", "GET", "/drive/v3/files/{file}", "", "", []),
)
TEXT = "outgate: service/v1alpha\nservice: google\nspeaks: google\nhosts: ['*.googleapis.com']\n"
CATALOG = compile_catalog([parse(TEXT, "google.yaml")], {"google": DRIVE}, {"file"})


def names(line):
    return [action.operation for action in identify(asked(line.replace(" /", " https://www.googleapis.com/", 1)), CATALOG)]


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("PUT /upload/drive/v3/files?uploadType=resumable&upload_id=u1", "files.create"),
        ("PUT /upload/drive/v3/files?upload_id=u1", "files.create"),
        ("PUT /upload/drive/v3/files/f1?uploadType=resumable&upload_id=u1", "files.update"),
        ("PUT /upload/youtube/v3/captions?upload_id=u1", "captions.update"),
    ],
)
def test_a_piece_is_what_its_session_began_as(line, name):
    assert names(line) == [name]


@pytest.mark.parametrize(
    "line",
    [
        "PUT /upload/drive/v3/files",
        "PUT /upload/drive/v3/files?upload_id=",
        "PUT /upload/drive/v3/files?not_upload_id=u1",
        "PUT /drive/v3/files/f1?upload_id=u1",
        "PUT /upload/unheard/of?upload_id=u1",
    ],
)
def test_what_is_no_piece_of_a_known_upload_stays_unmapped(line):
    assert names(line) == ["PUT"]


def test_only_a_put_is_taken_for_another_method():
    assert names("DELETE /upload/drive/v3/files?upload_id=u1") == ["DELETE"]
