import json
import sys

import pytest
from asked import asked
from openapi_documents import crm
from policies import NOON, facts, policy, written

from outgate.actions.identify import identify
from outgate.cli.main import main
from outgate.keys.ed25519 import SigningKey
from outgate.policy.decide import decide
from outgate.receipts.receipt import decision_body
from outgate.stores.catalog_files import load_catalog
from outgate.stores.files import FileJournal
from outgate.stores.logs import new_writer
from outgate.stores.policy_files import load_policies
from outgate.stores.shipped import shipped

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


def lines_of(said):
    assert max(map(len, said.splitlines())) <= 80
    return said.splitlines()


def test_operations_are_found_by_words(outgate):
    code, out, _ = outgate("search", "refund", "--service", "stripe", "--access", "pay", "-n", "2")
    assert code == 0
    assert lines_of(out)[0].split()[:3] == ["stripe.PostRefunds", "pay", "T2"]
    assert "operations fit" in out
    assert json.loads(outgate("search", "delete", "bucket", "--json", "-n", "3")[1])["total"] > 3
    assert outgate("search", "qqqq")[1] == "no operation has 'qqqq' in its name\n"
    assert "use one of T0, T1, T2, T3" in outgate("search", "x", "--tier", "T9")[2]


def test_an_operation_is_shown_with_a_rule_that_passes(outgate, tmp_path):
    code, out, _ = outgate("show", "stripe.PostRefunds")
    assert code == 0
    assert lines_of(out) == [
        "stripe.PostRefunds",
        "  pay, T2: money goes back",
        "  catalog: mined/stripe, method POST, mark m",
        "  requests",
        "    POST /v1/refunds",
        "  hosts   api.stripe.com, files.stripe.com, connect.stripe.com",
        "  params",
        "    amount          money   form.amount, currency form.currency",
        "    charge          string  form.charge",
        "    payment_intent  string  form.payment_intent",
        "    reason          string  form.reason",
        "",
        "a rule for it, under `rules:` of a policy",
        "  - id: stripe-postrefunds",
        "    match: {action: stripe.PostRefunds}",
        """    unless: 'under(params.amount, "100 GBP")'""",
        "    effect: escalate",
    ]


@pytest.mark.parametrize(
    "name",
    [
        "stripe.PostRefunds",
        "aws.ec2.TerminateInstances",
        "github.repos/delete",
        "mcp.tools/call:*",
        "git.push",
        "slack.chat.postMessage",
        "aws.s3.GetObject",
        "github.graphql.mutation.deleteRef",
    ],
)
def test_the_rule_that_is_shown_passes_the_check(outgate, name, tmp_path):
    said = json.loads(outgate("show", name, "--json")[1])
    (tmp_path / "p.yaml").write_text(written(said["rule"]))
    assert len(load_policies([str(tmp_path / "p.yaml")], load_catalog()).rules) == 1


def test_a_name_that_nobody_has_is_answered_with_those_near_to_it(outgate):
    code, _, err = outgate("show", "stripe.PostRefund")
    assert code == 2
    assert "no operation or service 'stripe.PostRefund', did you mean stripe.PostRefunds" in err


def test_a_service_is_shown_with_what_it_was_mined_of(outgate):
    out = lines_of(outgate("show", "stripe")[1])
    assert out[0].startswith("stripe   6")
    assert any(line.startswith("  mined   stripe ") and "(pypi, MIT)" in line for line in out)
    said = json.loads(outgate("show", "stripe", "--json")[1])
    assert said["operations"] == said["byHand"] + said["mined"]


def test_services_are_listed(outgate, tmp_path):
    out = lines_of(outgate("services")[1])
    assert out[0].split() == ["service", "operations", "speaks", "hosts"]
    assert any(line.startswith("stripe ") for line in out)
    assert out[-1].endswith("services")
    (tmp_path / "mine.yaml").write_text("outgate: service/v1alpha\nservice: mine\nhosts: [mine.test]\n")
    assert any(one["name"] == "mine" for one in json.loads(outgate("services", "--services", "mine.yaml", "--json")[1]))


SEEN = [
    ("GET https://api.stripe.com/v1/charges", 2),
    ("DELETE https://crm.acme.example/v1/customers/7", 2),
    ("DELETE https://crm.acme.example/v1/customers/8", 1),
    ("POST https://api.stripe.com/v1/unheard_of", 1),
]


@pytest.fixture
async def log(tmp_path, monkeypatch):
    """The log of a gate that decided on `SEEN`."""
    monkeypatch.setenv("OUTGATE_STATE", str(tmp_path / "state"))
    catalog = load_catalog()
    journal = FileJournal.open(tmp_path / "state", writer=new_writer(NOON, b"abcd"), key=SigningKey.from_seed(b"k" * 32))
    for line, times in SEEN:
        request = asked(line)
        given = facts(request=request)
        decision = decide(policy(), identify(request, catalog), given)
        for _ in range(times):
            await journal.append(
                decision_body(at=NOON, agent=given.agent, request=request, decision=decision, policy="x", pin=None)
            )
    await journal.close()


def test_what_share_of_recorded_traffic_is_known_is_told(outgate, log):
    code, out, _ = outgate("coverage")
    assert code == 0
    assert lines_of(out)[0].startswith("6 decisions, 6 actions, ")
    assert lines_of(out)[1:4] == [
        "   66.7%          4  heuristic  a guess, by method and name",
        "   33.3%          2  catalog    a service file, or what was mined",
        "   33.3% mapped in all",
    ]
    assert [line.split() for line in out.splitlines()[6:8]] == [
        ["3", "DELETE", "crm.acme.example/v1/customers/{}", "http.DELETE"],
        ["1", "POST", "api.stripe.com/v1/unheard_of", "stripe.POST"],
    ]
    assert out.splitlines()[-1] == "next: outgate actions coverage --draft crm.acme.example > mine.yaml"


def test_a_service_file_to_begin_with_loads(outgate, log, tmp_path):
    (tmp_path / "mine.yaml").write_text(outgate("coverage", "--draft", "crm.acme.example")[1])
    assert outgate("test", "mine.yaml") == (0, "mine.yaml: ok, 1 examples hold\n", "")
    assert "nothing that is not known was seen at 'other.test'" in outgate("coverage", "--draft", "other.test")[2]
    assert outgate("coverage", "-o", "drafts")[0] == 0
    assert sorted(path.name for path in (tmp_path / "drafts").iterdir()) == ["api.stripe.com.yaml", "crm.acme.example.yaml"]
    assert outgate("test", "drafts")[0] == 0
    assert "is there already" in outgate("coverage", "-o", "drafts")[2]


def test_coverage_for_programs_is_json(outgate, log):
    said = json.loads(outgate("coverage", "--json")[1])
    assert said["unmapped"][0] | {"action": ""} == {
        "host": "crm.acme.example",
        "method": "DELETE",
        "path": "/v1/customers/{}",
        "action": "",
        "times": 3,
    }
    assert set(said["drafts"]) == {"crm.acme.example", "api.stripe.com"}


def test_without_a_log_it_says_what_to_do(outgate, monkeypatch, tmp_path):
    monkeypatch.setenv("OUTGATE_STATE", str(tmp_path / "nothing"))
    code, _, err = outgate("coverage")
    assert code == 1
    assert "run your agent first" in err


def test_a_file_that_is_shipped_is_tried_too(outgate):
    code, out, _ = outgate("test", shipped("rules", "services", "pushover.yaml"))
    assert code == 0
    assert out.endswith("ok, 8 examples hold\n")
