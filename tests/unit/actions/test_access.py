import pytest

from outgate.actions.access import access_of


@pytest.mark.parametrize(
    ("name", "access", "tier"),
    [
        ("delete_file", "delete", "T2"),
        ("db_delete", "delete", "T3"),
        ("DeleteObject", "delete", "T2"),
        ("search_and_delete", "delete", "T2"),
        ("deleteAllItems", "delete", "T3"),
        ("list_files", "list", "T0"),
        ("ListBuckets", "list", "T0"),
        ("read_file", "read", "T0"),
        ("get_commit", "read", "T0"),
        ("get_release", "read", "T0"),
        ("get_secret", "read", "T1"),
        ("create_issue", "write", "T1"),
        ("mergePullRequest", "write", "T1"),
        ("send_email", "send", "T1"),
        ("list_messages", "list", "T0"),
        ("run_query", "execute", "T1"),
        ("exec", "execute", "T1"),
        ("run_list", "execute", "T1"),
        ("create_refund", "pay", "T2"),
        ("get_refund", "read", "T0"),
        ("set_role", "admin", "T2"),
        ("publish_package", "publish", "T3"),
        ("get_or_create", "write", "T1"),
        ("get_and_tag", "write", "T1"),
    ],
)
def test_a_name_is_judged_by_its_verbs(name, access, tier):
    judged = access_of(name)
    assert (judged[0].value, judged[1].name) == (access, tier)


@pytest.mark.parametrize("name", ["", "foo", "kubectl", "___", "123", "frobnicate_widget", "GET"[::-1]])
def test_a_name_without_a_known_verb_is_unknown_and_never_a_read(name):
    judged = access_of(name)
    assert (judged[0].value, judged[1].name) == ("unknown", "T2")
