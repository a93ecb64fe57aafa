import pytest
from sandboxed import said, shelf, to_mock

from outgate.mock.convention import answer


@pytest.fixture
def ask():
    own = shelf()
    return lambda line, **given: answer(to_mock(line, **given), own)


def test_what_is_created_can_be_read_back_changed_listed_and_deleted(ask):
    made = ask("POST /api/things", json={"name": "a"})
    key = said(made)["id"]
    assert (made.status, dict(made.headers)["location"]) == (201, f"/api/things/{key}")
    assert said(ask(f"GET /api/things/{key}"))["name"] == "a"
    assert said(ask(f"PATCH /api/things/{key}", json={"size": 2})) == {**said(made), "size": 2}
    assert said(ask(f"PUT /api/things/{key}", json={"size": 3})) == {"id": key, "size": 3}
    assert said(ask(f"POST /api/things/{key}", json={"x": 1})) == {"id": key, "size": 3, "x": 1}
    assert [one["id"] for one in said(ask("GET /api/things"))] == [key]
    assert ask(f"DELETE /api/things/{key}").status == 204
    assert ask(f"GET /api/things/{key}").status == 404
    assert ask(f"DELETE /api/things/{key}").status == 404
    assert ask(f"PATCH /api/things/{key}", json={}).status == 404
    assert said(ask("GET /api/things")) == []


def test_an_id_that_is_given_is_kept(ask):
    assert said(ask("POST /things", json={"id": "mine"}))["id"] == "mine"
    assert said(ask("POST /things", json={"id": 7}))["id"] == 7
    assert said(ask("GET /things/7"))["id"] == 7
    assert ask("POST /things", json={"id": {"x": 1}}).status == 201


def test_an_id_that_no_path_can_have_is_not_said_to_be_somewhere(ask):
    assert "location" not in dict(ask("POST /things", json={"id": "a\r\nb"}).headers)


@pytest.mark.parametrize("path", ["/things/1", "/things/6f1c2d34-aaaa-bbbb", "/things/cus_abc123", "/v1/x9"])
def test_one_that_was_never_here_is_not_found(ask, path):
    assert ask(f"GET {path}").status == 404


def test_many_that_were_never_here_are_none(ask):
    assert said(ask("GET /things")) == []


def test_put_makes_what_was_not_there_and_patch_changes_a_stranger(ask):
    assert ask("PUT /things/a", json={}).status == 201
    assert ask("PUT /things/a", json={}).status == 200
    assert said(ask("PATCH /things/real", json={"x": 1})) == {"id": "real", "x": 1}


def test_what_is_no_table_is_kept_as_what_it_is(ask):
    assert said(ask("POST /things", json=[1]))["value"] == [1]
    assert said(ask("POST /things", body=b"\x00" * 9))["size"] == 9
    assert set(said(ask("POST /things"))) == {"id", "created_at"}


def test_two_services_do_not_share_their_things(ask):
    ask("POST /things", json={"id": "1"}, origin="https://a.test")
    assert ask("GET /things/1", origin="https://b.test").status == 404


def test_a_path_with_a_slash_at_its_end_is_the_same(ask):
    ask("POST /things/", json={"id": "1"})
    assert len(said(ask("GET /things"))) == 1


def test_all_can_be_deleted_at_once(ask):
    ask("POST /things", json={"id": "1"})
    assert ask("DELETE /things").status == 204
    assert ask("GET /things/1").status == 404


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("OPTIONS", 204), ("BREW", 501)])
def test_other_methods_have_answers_too(ask, method, status):
    assert ask(f"{method} /things").status == status


@pytest.mark.parametrize("path", ["/", "//", "/a//b", "/%ff"])
def test_an_odd_path_is_answered(ask, path):
    for method in ("POST", "GET", "PUT", "PATCH", "DELETE"):
        assert 200 <= ask(f"{method} {path}", json={}).status < 500
