"""What can be asked of whoever reads bodies."""

import hashlib
from dataclasses import replace

import pytest
from asked import asked
from gated import CATALOG

from outgate.approvals.request import request_digest
from outgate.errors import UnavailableError
from outgate.inspect.examine import examine
from outgate.intake.request import NoBody, SpooledBody, UnreadBody, WholeBody
from outgate.policy.answered import answered_of
from outgate.worker import tasks
from outgate.worker.tasks import Identify, Name, Review, Search, body_of, done, headers_of, made_whole

CONTENT = b'{"charge": "ch_1"}'
REQUEST = asked("POST https://api.stripe.com/v1/refunds", headers={"content-encoding": "gzip"}, body=WholeBody(CONTENT))
SPOOLED = SpooledBody("-", len(CONTENT), f"sha256:{hashlib.sha256(CONTENT).hexdigest()}")
ANSWER = Review(status=200, headers=(("content-encoding", "br"),), body=SPOOLED)


def test_each_is_done_by_the_core():
    assert done(Identify(request=REQUEST, data=True), CATALOG) == examine(REQUEST, CATALOG, data=True)
    assert done(Name(agent="coder", request=REQUEST), None) == request_digest("coder", REQUEST)
    assert done(Search(content=b"ghp_" + b"a1B2" * 9), None) == frozenset({"secret"})
    assert done(Search(content=b"nothing"), None) == frozenset()
    assert done(Review(status=200, headers=(), body=NoBody()), None) == answered_of(200, (), NoBody())


def test_what_must_be_read_for_each():
    assert body_of(Identify(request=REQUEST, data=True)) == body_of(Name(agent="a", request=REQUEST)) == WholeBody(CONTENT)
    assert (body_of(Search(content=b"x")), body_of(ANSWER)) == (WholeBody(b"x"), SPOOLED)
    assert [headers_of(task) for task in (Name(agent="a", request=REQUEST), Search(content=b"x"), ANSWER)] == [
        REQUEST.headers,
        (),
        ANSWER.headers,
    ]


def test_a_spooled_body_is_made_whole(tmp_path):
    (tmp_path / "body").write_bytes(CONTENT)
    with (tmp_path / "body").open("rb") as file:
        assert body_of(made_whole(ANSWER, file.fileno())) == WholeBody(CONTENT)


@pytest.mark.parametrize("content", [b"", CONTENT[:-1], CONTENT + b" ", b"x" * len(CONTENT)])
def test_one_that_is_not_what_came_is_not(tmp_path, content):
    (tmp_path / "body").write_bytes(content)
    with (tmp_path / "body").open("rb") as file, pytest.raises(UnavailableError):
        made_whole(ANSWER, file.fileno())


def test_one_that_no_memory_has_room_for_is_unread_and_named_by_its_digest(tmp_path, monkeypatch):
    monkeypatch.setattr(tasks, "WHOLE_LIMIT", 10)
    (tmp_path / "body").write_bytes(CONTENT)
    with (tmp_path / "body").open("rb") as file:
        unread = UnreadBody(length=len(CONTENT), too_large=True, head=CONTENT)
        assert body_of(made_whole(ANSWER, file.fileno())) == unread
        large = replace(REQUEST, body=SPOOLED)
        assert body_of(made_whole(Identify(request=large, data=True), file.fileno())) == unread
        named = done(made_whole(Name(agent="a", request=large), file.fileno()), None)
    assert named == request_digest("a", REQUEST)
