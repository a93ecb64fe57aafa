import pytest

from outgate.actions.access import judge
from outgate.actions.protocols.azure_names import Named, classified, named

VM = "subscriptions/s1/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/web"


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (f"GET {VM}", "Microsoft.Compute/virtualMachines/read"),
        (f"HEAD {VM}", "Microsoft.Compute/virtualMachines/read"),
        (f"PUT {VM}", "Microsoft.Compute/virtualMachines/write"),
        (f"PATCH {VM}", "Microsoft.Compute/virtualMachines/write"),
        (f"DELETE {VM}", "Microsoft.Compute/virtualMachines/delete"),
        (f"POST {VM}/powerOff", "Microsoft.Compute/virtualMachines/powerOff/action"),
        (f"DELETE {VM}/extensions/x", "Microsoft.Compute/virtualMachines/extensions/delete"),
        (f"PUT {VM}/providers/Microsoft.Authorization/locks/l", "Microsoft.Authorization/locks/write"),
        ("POST providers/Microsoft.Authorization/elevateAccess", "Microsoft.Authorization/elevateAccess/action"),
        ("GET subscriptions/s1/providers", "Microsoft.Resources/subscriptions/providers/read"),
        ("GET providers", "Microsoft.Resources/providers/read"),
        ("GET subscriptions", "Microsoft.Resources/subscriptions/read"),
        ("DELETE subscriptions/s1/resourceGroups/rg", "Microsoft.Resources/subscriptions/resourceGroups/delete"),
        ("GET subscriptions/s1/resources", "Microsoft.Resources/subscriptions/resources/read"),
        ("GET subscriptions/s1/providers/Microsoft.Web/sites", "Microsoft.Web/sites/read"),
        ("POST subscriptions/s1/providers/Microsoft.Web/checkNameAvailability", "Microsoft.Web/checkNameAvailability/action"),
        ("GET subscriptions/s1/providers/Microsoft.Web", "Microsoft.Web/read"),
    ],
)
def test_a_path_names_the_operation_of_a_role(line, name):
    method, _, path = line.partition(" ")
    found = named(method, path.split("/"))
    assert isinstance(found, Named)
    assert found.name == name


def test_it_says_whose_it_is_and_which_one():
    found = named("POST", f"{VM}/powerOff".split("/"))
    assert (found.scope, found.group, found.last) == ("subscription:s1", "rg", "web")
    assert named("GET", ["subscriptions", "s1", "providers", "Microsoft.Web", "sites"]).listing
    group = named("GET", ["providers", "Microsoft.Management", "managementGroups", "acme", "subscriptions"])
    assert group.scope == "management-group:acme"


@pytest.mark.parametrize(
    "line",
    [
        "GET ",
        "GET vaults/x",
        "GET subscriptions/s/providers/NoDot/x",
        "GET providers/A.B/c d",
        "OPTIONS subscriptions",
    ],
)
def test_what_is_no_request_of_it_is_none(line):
    method, _, path = line.partition(" ")
    assert named(method, path.split("/")) is None


@pytest.mark.parametrize(
    ("name", "access", "tier"),
    [
        ("Microsoft.Compute/virtualMachines/read", "read", "T0"),
        ("Microsoft.Compute/virtualMachines/write", "write", "T1"),
        ("Microsoft.Compute/virtualMachines/delete", "delete", "T2"),
        ("Microsoft.Resources/subscriptions/resourceGroups/delete", "delete", "T3"),
        ("Microsoft.Storage/storageAccounts/delete", "delete", "T3"),
        ("Microsoft.Storage/storageAccounts/listKeys/action", "read", "T1"),
        ("Microsoft.Logic/workflows/triggers/listCallbackUrl/action", "read", "T1"),
        ("Microsoft.Search/searchServices/listQueryKeys/read", "read", "T1"),
        ("Microsoft.Storage/storageAccounts/regenerateKey/action", "admin", "T2"),
        ("Microsoft.Authorization/roleAssignments/write", "admin", "T2"),
        ("Microsoft.Authorization/locks/delete", "admin", "T3"),
        ("Microsoft.Insights/diagnosticSettings/delete", "delete", "T3"),
        ("Microsoft.Authorization/elevateAccess/action", "admin", "T3"),
        ("Microsoft.Compute/virtualMachines/runCommand/action", "execute", "T2"),
        ("Microsoft.Compute/virtualMachines/deallocate/action", "write", "T2"),
        ("Microsoft.Web/checkNameAvailability/action", "read", "T0"),
        ("Microsoft.KeyVault/locations/deletedVaults/purge/action", "delete", "T3"),
        ("Microsoft.Acme/things/frobnicate/action", "unknown", "T2"),
    ],
)
def test_how_bad_it_is_follows_from_the_name(name, access, tier):
    level, marks = classified(name)
    judged = judge(name, level=level, marks=marks)
    assert (judged.access.value, judged.tier.name) == (access, tier)
