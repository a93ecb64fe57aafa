from openapi_documents import crm, draft

from outgate.actions.openapi.drift import drift

OLD = draft(crm("/a: {get: {}}\n/b/{id}: {delete: {}, put: {}}"))


def lines(file, new):
    return [str(one) for one in drift(file, new)]


def test_a_file_is_as_its_document_whatever_things_are_called():
    other = {**OLD, "operations": {f"my-{name}": value for name, value in OLD["operations"].items()}}
    assert drift(other, draft(crm("/a: {get: {}}\n/b/{other}: {delete: {}, put: {}}"))) == ()


def test_what_is_new_and_what_is_gone_is_told():
    assert lines(OLD, draft(crm("/a: {get: {}, post: {}}\n/b/{id}: {delete: {}}"))) == [
        "in the file, not in the document: PUT /v1/b/{}  b.replace",
        "in the document, not in the file: POST /v1/a  a.create, write, T1",
    ]


def test_hosts_are_compared():
    assert lines({**OLD, "hosts": "old.test"}, OLD) == [
        "hosts: crm.acme.example is not in the file",
        "hosts: old.test is not in the document",
    ]


def test_what_a_person_made_milder_is_told_and_no_drift():
    milder = {**OLD, "operations": OLD["operations"] | {"b.delete": {"on": "DELETE /v1/b/{id}", "access": "write", "tier": "T1"}}}
    (one,) = drift(milder, OLD)
    assert (str(one), one.drifts) == ("milder than it would be judged: b.delete, write T1, judged delete T2", False)


def test_what_a_person_made_stricter_is_nothing():
    stricter = {**OLD, "operations": OLD["operations"] | {"a.list": {"on": "GET /v1/a", "access": "read", "tier": "T2"}}}
    assert drift(stricter, OLD) == ()


def test_a_file_that_is_none_differs_in_everything():
    assert len(drift({"operations": [1], "hosts": 3}, OLD)) == 4
