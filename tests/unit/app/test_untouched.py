"""outgate.app.untouched: what an agent in a fence could have written never counts while it runs."""

from __future__ import annotations

import pytest

from outgate.app.untouched import RESTART, check_untouched
from outgate.errors import ConfigError


def test_what_lies_in_what_the_agent_cant_write_counts_also_where_it_is_new(tmp_path):
    (tmp_path / "config").mkdir()
    check_untouched([tmp_path / "config" / "people.yaml", tmp_path / "mine.yaml"], [tmp_path / "config", tmp_path / "mine.yaml"])


def test_what_was_not_there_when_the_agent_started_is_not_taken_from_it(tmp_path):
    with pytest.raises(ConfigError) as told:
        check_untouched([tmp_path / "config.yaml"], [tmp_path / "mine.yaml"])
    assert [(one.source, one.message) for one in told.value.problems] == [(str(tmp_path / "config.yaml"), RESTART)]


def test_a_name_that_can_be_made_to_lead_elsewhere_does_not_count_where_it_leads_well_now(tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "mine.yaml").touch()
    (tmp_path / "link.yaml").symlink_to(tmp_path / "kept" / "mine.yaml")
    with pytest.raises(ConfigError):
        check_untouched([tmp_path / "link.yaml"], [tmp_path / "kept"])


def test_a_way_out_of_what_is_kept_is_seen(tmp_path):
    (tmp_path / "kept").mkdir()
    with pytest.raises(ConfigError):
        check_untouched([tmp_path / "kept" / ".." / "other.yaml"], [tmp_path / "kept"])
