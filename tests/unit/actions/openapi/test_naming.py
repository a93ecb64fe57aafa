import pytest

from outgate.actions.openapi.naming import distinct, is_secret, operation_name, routed, service_name, snake


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Acme CRM REST API (v2)", "acme-crm"),
        ("Swagger Petstore - OpenAPI 3.0", "petstore"),
        ("3scale", "scale"),
        ("Ünïcode", "n-code"),
        ("The API", ""),
        ("", ""),
    ],
)
def test_a_service_is_named_by_its_title(title, name):
    assert service_name(title) == name


@pytest.mark.parametrize(
    ("said", "method", "template", "name"),
    [
        ("listPets", "GET", "/pets", "listPets"),
        ("repos/delete", "DELETE", "/repos/{a}", "repos/delete"),
        ("get pets!", "GET", "/pets", "get_pets_"),
        ("_x", "GET", "/", "x"),
        ("", "GET", "/v1/contacts", "contacts.list"),
        ("", "GET", "/v1/contacts/{id}", "contacts.get"),
        ("", "POST", "/v1/contacts", "contacts.create"),
        ("", "POST", "/v1/contacts/{id}/archive", "contacts.archive"),
        ("", "POST", "/v1/contacts/{id}/notes", "contacts.notes.create"),
        ("", "PUT", "/contacts/{id}", "contacts.replace"),
        ("", "DELETE", "/contacts", "contacts.delete_all"),
        ("", "POST", "/jobs/{id}:cancel", "jobs.cancel"),
        ("", "GET", "/", "root.list"),
        ("x" * 300, "GET", "/", "x" * 96),
    ],
)
def test_an_operation_has_its_own_name_or_one_of_its_path(said, method, template, name):
    assert operation_name(said, method, template) == name


def test_a_name_that_is_taken_is_told_apart_by_the_path():
    assert distinct("a", "/x/{petId}/{n}", {"a"}) == "a_by_n"
    assert distinct("a", "/x/{petId}/{n}", {"a", "a_by_n"}) == "a_by_pet_id_n"
    assert distinct("a", "/x", {"a", "a_2"}) == "a_3"


@pytest.mark.parametrize("name", ["dryRun", "dry-run", "DryRun", "dry_run", "dryRUN"])
def test_one_name_has_many_spellings(name):
    assert snake(name) == "dry_run"


@pytest.mark.parametrize(
    ("template", "written"),
    [
        ("/a/{petId}/{pet-name}", "/a/{petId}/{pet_name}"),
        ("/a/{ID}", "/a/{iD}"),
        ("/a/{2fa}", "/a/{v2fa}"),
        ("/a/{a-b}/{a_b}", "/a/{a_b}/{a_b_2}"),
        ("/a/{limit}", "/a/{limit_id}"),
        ("/a/{access_token}/x", "/a/{_access_token}/x"),
        ("/a/{proxy+}", "/a/{proxy+}"),
        ("/a/{file}.json", "/a/{file}.json"),
    ],
)
def test_variables_are_written_as_service_files_do(template, written):
    assert routed(template, {"limit"})[0] == written


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("password", True),
        ("newPassword", True),
        ("api_key", True),
        ("cardNumber", True),
        ("access_token", True),
        ("page_token", False),
        ("max_tokens", False),
        ("key", False),
        ("spinner", False),
    ],
)
def test_what_names_a_secret_is_known(name, secret):
    assert is_secret(name) is secret
