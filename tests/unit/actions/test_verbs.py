import pytest

from outgate.actions.verbs import spoken, verb_of, words


@pytest.mark.parametrize(
    "name", ["deleteAllItems", "delete_all_items", "delete-all-items", "DeleteAllItems", "delete.all/items", "delete all items"]
)
def test_a_name_has_the_same_words_in_every_spelling(name):
    assert words(name) == ("delete", "all", "items")


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("ec2.TerminateInstances", "terminate"),
        ("db_delete", "delete"),
        ("compute.instances.delete", "delete"),
        ("actions/delete-artifact", "delete"),
        ("BatchGetItem", "get"),
        ("chat.postMessage", "post"),
        ("ListDeletedUsers", "list"),
        ("get_or_create", "create"),
        ("storage_blob_upload", "upload"),
        ("Microsoft.Compute/virtualMachines/restart/action", "restart"),
        ("Microsoft.Compute/virtualMachines/delete", "delete"),
    ],
)
def test_the_verb_is_found_where_vendors_put_it(name, word):
    found = verb_of(name)
    assert found is not None
    assert found.word == word


@pytest.mark.parametrize("name", ["", "foo", "___", "123", "./:"])
def test_a_name_may_have_none(name):
    assert verb_of(name) is None


@pytest.mark.parametrize(
    ("name", "noun"),
    [
        ("rds.DeleteDBSnapshot", "snapshot"),
        ("compute.instances.delete", "instance"),
        ("repos/delete", "repo"),
        ("DeleteRuleForOrganization", "rule"),
        ("organization_delete", "organization"),
        ("delete", ""),
        ("things", "thing"),
    ],
)
def test_what_it_is_done_to_is_the_last_word_before_a_preposition(name, noun):
    assert spoken(name).noun == noun
