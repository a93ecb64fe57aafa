import pytest

from outgate.errors import ConfigError
from outgate.stores.catalog_files import load_catalog
from outgate.stores.texts import LARGEST

MINE = (
    "outgate: service/v1alpha\nservice: crm\nhosts: [crm.example]\noperations:\n  ping: {on: GET /ping, access: read, tier: T0}\n"
)


def names(catalog):
    return {operation.name for operation in catalog.listed()}


def test_the_shipped_files_are_read():
    catalog = load_catalog()
    assert {"git.push", "mcp.tools/list", "slack.incoming-webhook"} <= names(catalog)
    assert all(map(catalog.operation, ("github.repos/delete", "stripe.PostRefunds", "slack.chat.postMessage")))


def test_a_file_of_the_operator_s_is_added(tmp_path):
    (tmp_path / "crm.yaml").write_text(MINE)
    assert "crm.ping" in names(load_catalog(tmp_path / "crm.yaml"))
    assert "crm.ping" in names(load_catalog(tmp_path))


def test_a_damaged_file_is_an_error_that_names_it(tmp_path):
    (tmp_path / "crm.yaml").write_text(MINE[:-9])
    with pytest.raises(ConfigError, match=r"crm\.yaml:"):
        load_catalog(tmp_path)


def test_every_damaged_file_is_named(tmp_path):
    (tmp_path / "a.yaml").write_text("a: [")
    (tmp_path / "b.yaml").write_bytes(b"\xff")
    (tmp_path / "c.yaml").write_text("#" * (LARGEST + 1))
    with pytest.raises(ConfigError) as raised:
        load_catalog(tmp_path)
    assert [problem.source.rpartition("/")[2] for problem in raised.value.problems] == ["a.yaml", "b.yaml", "c.yaml"]


def test_a_file_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match=r"no-such\.yaml: can't be read"):
        load_catalog(tmp_path / "no-such.yaml")
