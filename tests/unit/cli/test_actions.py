import json
import sys

import pytest
from openapi_documents import crm

from outgate.cli.main import main
from outgate.stores.catalog_files import load_catalog

PATHS = "/contacts: {get: {}, post: {}}\n/contacts/{id}: {delete: {}}"
FILES = "/up: {post: {servers: [{url: 'https://files.acme.example'}]}}"


@pytest.fixture
def outgate(monkeypatch, capsys, tmp_path):
    """What a command says, and its exit code."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OUTGATE_CONFIG", str(tmp_path / "config"))

    def run(*args):
        monkeypatch.setattr(sys, "argv", ["outgate", "actions", *map(str, args)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return ended.value.code or 0, said.out, said.err

    return run


@pytest.fixture
def document(tmp_path):
    (tmp_path / "crm-openapi.yaml").write_text(crm(PATHS))
    return tmp_path / "crm-openapi.yaml"


def test_a_document_becomes_a_service_file_that_loads(outgate, document, tmp_path):
    code, out, err = outgate("import", document, "-o", "crm.yaml")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "crm.yaml: 3 operations of acme-crm, 1 T0, 1 T1, 1 T2",
        "  next:  read it through, then  outgate policy check POLICY --services crm.yaml",
    ]
    catalog = load_catalog(tmp_path / "crm.yaml")
    assert "acme-crm" in catalog.services()
    assert outgate("test", "crm.yaml") == (0, "crm.yaml: ok, 3 examples hold\n", "")


def test_without_a_place_it_is_printed(outgate, document):
    assert outgate("import", document, "--service", "crm")[1].splitlines()[4:5] == ["service: crm"]
    assert json.loads(outgate("import", document, "--json")[1])[0]["hosts"] == ["crm.acme.example"]


def test_a_file_that_is_there_is_not_written_over(outgate, document, tmp_path):
    (tmp_path / "crm.yaml").write_text("mine")
    code, _, err = outgate("import", document, "-o", "crm.yaml")
    assert code == 2
    assert "crm.yaml is there already: compare with --check crm.yaml" in err
    assert (tmp_path / "crm.yaml").read_text() == "mine"
    assert outgate("import", document, "-o", "crm.yaml", "--force")[0] == 0


def test_hosts_that_do_different_things_are_files_in_a_folder(outgate, document, tmp_path):
    document.write_text(crm(f"{PATHS}\n{FILES}"))
    code, _, err = outgate("import", document, "-o", "one.yaml")
    assert code == 2
    assert "2 services (acme-crm, acme-crm-files)" in err
    assert outgate("import", document, "-o", "mine/")[0] == 0
    assert sorted(path.name for path in (tmp_path / "mine").iterdir()) == ["acme-crm-files.yaml", "acme-crm.yaml"]
    assert outgate("test", "mine")[0] == 0


def test_a_document_of_a_host_that_is_known_is_refused(outgate, document, tmp_path):
    code, _, err = outgate("import", document, "--server", "https://api.github.com", "-o", "crm.yaml")
    assert code == 2
    assert "host 'api.github.com' belongs to two services" in err
    assert err.startswith("crm.yaml:")
    assert not (tmp_path / "crm.yaml").exists()


def test_everything_that_is_wrong_is_told_and_nothing_written(outgate, document, tmp_path):
    document.write_text(crm("contacts: {get: {}}\n/b: {fetch: {}}"))
    code, _, err = outgate("import", document, "-o", "crm.yaml")
    assert (code, len(err.splitlines())) == (2, 2)
    assert not (tmp_path / "crm.yaml").exists()
    assert "write it like https://api.example.com/v1" in outgate("import", document, "--server", "x")[2]


def test_what_can_not_be_told_is_a_note(outgate, document):
    document.write_text(crm("/a: {get: {}}\n/b: {$ref: 'https://other.test/b'}"))
    code, out, err = outgate("import", document)
    assert code == 0
    assert "never followed" in err
    assert err.endswith("(note)\n")
    assert "access: unknown, tier: T2" in out


def test_an_overlay_is_applied(outgate, document, tmp_path):
    (tmp_path / "mine.yaml").write_text("outgate: overlay/v1alpha\noperations: {'GET /contacts': {name: everyone, tier: T1}}\n")
    assert (
        "  everyone: {on: GET /v1/contacts, access: list, tier: T1}" in outgate("import", document, "--overlay", "mine.yaml")[1]
    )


def test_a_file_and_its_document_are_compared(outgate, document):
    outgate("import", document, "-o", "crm.yaml", "--service", "crm")
    assert outgate("import", document, "--check", "crm.yaml") == (0, "crm.yaml: as the document, 3 operations\n", "")
    document.write_text(crm("/contacts: {get: {}}\n/notes: {get: {}}"))
    code, out, _ = outgate("import", document, "--check", "crm.yaml")
    assert (code, out.splitlines()) == (
        1,
        [
            "crm.yaml: 3 differences, 2 operations",
            "  in the file, not in the document: DELETE /v1/contacts/{}  contacts.delete",
            "  in the file, not in the document: POST /v1/contacts  contacts.create",
            "  in the document, not in the file: GET /v1/notes  notes.list, list, T0",
        ],
    )
    assert len(json.loads(outgate("import", document, "--check", "crm.yaml", "--json")[1])) == 3


def test_examples_that_do_not_hold_are_told(outgate, document, tmp_path):
    outgate("import", document, "-o", "crm.yaml")
    path = tmp_path / "crm.yaml"
    path.write_text(path.read_text().replace("access: delete, tier: T2}", "access: read, tier: T2}", 1))
    code, _, err = outgate("test", "crm.yaml")
    assert code == 2
    assert "access of 'DELETE https://crm.acme.example/v1/contacts/7'" in err
