import pytest

from outgate.actions.known import known, summed
from outgate.stores.catalog_files import load_catalog


@pytest.fixture(scope="module")
def catalog():
    return load_catalog()


@pytest.mark.parametrize(
    ("name", "request_"),
    [
        ("stripe.PostRefunds", "POST /v1/refunds"),
        ("github.repos/delete", "DELETE /repos/{owner}/{repo}"),
        ("aws.ec2.TerminateInstances", "POST /   Action=TerminateInstances"),
        ("aws.dynamodb.DeleteItem", "POST /   X-Amz-Target: DynamoDB_20120810.DeleteItem"),
        ("aws.s3.DeleteObject", "DELETE /{bucket}/{key+}"),
        ("github.graphql.mutation.deleteRef", "POST /graphql   mutation { deleteRef … }"),
        ("google.compute.instances.delete", "DELETE /compute/v1/projects/{project}/zones/{zone}/instances/{instance}"),
    ],
)
def test_how_an_operation_is_asked_for_is_known(catalog, name, request_):
    assert request_ in known(name, catalog).requests


def test_so_are_its_parameters_and_where_they_stand(catalog):
    found = known("stripe.PostRefunds", catalog)
    assert ("amount", "money", "form.amount, currency form.currency") in found.params
    assert ("owner", "string", "path") in known("github.repos/delete", catalog).params
    assert ("ref", "string", "the protocol") in known("git.push", catalog).params


def test_hosts_of_a_mined_part_are_its_own(catalog):
    assert known("google.compute.instances.delete", catalog).hosts[0] == "compute.googleapis.com"
    assert known("stripe.PostRefunds", catalog).hosts[0] == "api.stripe.com"


def test_one_that_a_request_chooses_the_end_of_is_known(catalog):
    assert known("mcp.tools/call:delete_file", catalog).operation.name == "mcp.tools/call:*"


def test_one_that_nobody_has_is_not(catalog):
    assert known("stripe.Nothing", catalog) is None
    assert known("nothing", catalog) is None
    assert summed("nothing", catalog) is None


def test_a_service_is_counted(catalog):
    found = summed("stripe", catalog)
    assert (
        sum(found.tiers.values())
        == sum(found.accesses.values())
        == found.by_hand + found.mined
        == len(catalog.operations("stripe"))
    )
    assert found.files == ("stripe.json.gz",)
    assert "api.stripe.com" in found.hosts


def test_every_operation_of_the_catalog_can_be_shown(catalog):
    for service in catalog.services():
        for operation in catalog.operations(service)[:40]:
            assert known(operation.name, catalog) is not None
