import pytest

from outgate.cli.explain_lines import shown_target

TOKEN = "ghp_" + "a1B2" * 9


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        ("/a/b?c=d&e", "/a/b?c=d&e"),
        ("/a", "/a"),
        ("/a?", "/a?"),
        ("/a?api_key=hello&x=1", "/a?api_key=…&x=1"),
        ("/a?access%5Ftoken=hello", "/a?access%5Ftoken=…"),
        ("/a?token=", "/a?token="),
    ],
)
def test_a_target_is_shown_without_what_is_a_credential_by_its_name(target, shown):
    assert shown_target(target) == shown


@pytest.mark.parametrize("target", [f"/{TOKEN}/x", f"/a?q={TOKEN}", f"/a?{TOKEN}", f"/a?{TOKEN}=1"])
def test_or_by_its_form(target):
    assert TOKEN not in shown_target(target)
    assert shown_target(target).count("hidden") == 1
