"""outgate.settings.values"""

from __future__ import annotations

from pathlib import Path

from outgate.settings import Settings, config_folder, state_folder


def test_folders_are_where_the_environment_says():
    assert state_folder({"OUTGATE_STATE": "/s"}) == Path("/s")
    assert config_folder({"OUTGATE_CONFIG": "/c"}) == Path("/c")


def test_folders_are_the_users_own_where_it_says_nothing():
    assert state_folder({}).name == config_folder({}).name == "outgate"


def test_agents_and_people_stand_in_the_users_folder_unless_they_are_elsewhere():
    environ = {"OUTGATE_CONFIG": "/c"}
    assert Settings().agents_file(environ) == Path("/c/agents.yaml")
    assert Settings().people_file(environ) == Path("/c/people.yaml")
    elsewhere = Settings(agents=Path("/a.yaml"), people=Path("/p.yaml"))
    assert (elsewhere.agents_file(environ), elsewhere.people_file(environ)) == (Path("/a.yaml"), Path("/p.yaml"))
