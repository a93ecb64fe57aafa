"""A plan becomes a layout: what is hidden, kept, pinned, read-only and given back."""

import os
from pathlib import Path

import pytest

from outgate.errors import ConfigError
from outgate.fence.plan import CHANNELS, FencePlan, lay_out, without_channels
from outgate.fence.sockets import Found


@pytest.fixture
def home(tmp_path):
    for name in ("home/work", "home/.ssh", "home/.config/fish", "home/.local/state/outgate", "tool/bin"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "home" / ".bashrc").touch()
    return tmp_path / "home"


def nothing(_):
    return Found(paths=frozenset(), whole=True)


def laid(home, *, sockets=(), uid=1000, environ=None, **more):
    plan = FencePlan(
        **{
            "command": ("true",),
            "environ": {"PATH": "/usr/bin:/bin", **(environ or {})},
            "cwd": home / "work",
            "home": home,
            "hide": (home / ".local" / "state" / "outgate",),
            **more,
        }
    )
    return lay_out(plan, lambda _: Found(paths=frozenset(sockets), whole=True), uid=uid)


def test_keys_and_the_gates_state_are_hidden(home):
    assert set(laid(home).hidden) == {home / ".ssh", home / ".local/state/outgate"}


def test_start_up_files_that_are_there_are_read_only(home):
    assert set(laid(home).read_only) == {home / ".bashrc", home / ".config/fish"}


def test_start_up_files_that_are_not_there_are_guarded(home):
    guarded = set(laid(home).guarded)
    assert {home / ".zshenv", home / ".bash_profile", home / ".config/autostart", home / ".ssh"} <= guarded


def test_the_configuration_folder_is_where_the_environment_says(home):
    (home / "conf" / "fish").mkdir(parents=True)
    assert home / "conf/fish" in laid(home, environ={"XDG_CONFIG_HOME": str(home / "conf")}).read_only


def test_every_folder_that_could_be_renamed_around_it_is_pinned(home):
    assert {home / ".local", home / ".local/state", home / ".config"} <= set(laid(home).pinned)


def test_folders_are_pinned_before_what_is_in_them(home):
    pinned = laid(home).pinned
    assert all(pinned.index(p) < pinned.index(q) for p in pinned for q in pinned if p in q.parents)


def test_a_link_among_start_up_files_protects_what_it_leads_to(home):
    (home / "dotfiles").mkdir()
    (home / "dotfiles" / "zshrc").touch()
    (home / ".zshrc").symlink_to(home / "dotfiles" / "zshrc")
    assert home / "dotfiles/zshrc" in laid(home).read_only
    assert home / ".zshrc" in laid(home).guarded


def test_work_and_home_in_tmp_are_kept_and_can_be_written(home):
    kept = {k.path: k.writable for k in laid(home).kept}
    assert kept[home] is kept[home / "work"] is True


def test_what_path_finds_in_tmp_is_kept_and_can_only_be_read(home):
    tool = home.parent / "tool"
    assert {k.path: k.writable for k in laid(home, environ={"PATH": f"/bin:{tool}/bin"}).kept}[tool] is False


def test_tmp_itself_is_never_kept_for_a_program_in_it(home):
    assert Path("/tmp") not in {k.path for k in laid(home, environ={"PATH": "/tmp:/tmp/bin"}).kept}


def test_sockets_that_were_found_are_hidden(home):
    socket = home / "work" / "s.sock"
    socket.touch()
    assert socket in laid(home, sockets=[socket]).hidden


def test_a_socket_in_a_private_folder_needs_no_hiding(home):
    assert Path("/run/some.sock") not in laid(home, sockets=[Path("/run/some.sock")]).hidden


def test_a_socket_that_is_shared_is_not_hidden(home):
    socket = home / "work" / "s.sock"
    socket.touch()
    assert socket not in laid(home, sockets=[socket], share=(socket,)).hidden


def test_sharing_the_home_gives_nothing_that_is_hidden_in_it(home):
    layout = laid(home, share=(home,))
    assert {home / ".ssh", home / ".local/state/outgate"} <= set(layout.hidden)
    assert home / ".bashrc" in layout.read_only


def test_a_hidden_folder_that_is_shared_by_name_is_not_hidden(home):
    assert home / ".ssh" not in laid(home, share=(home / ".ssh",)).hidden


def test_a_file_in_a_hidden_folder_that_is_shared_is_opened_alone(home):
    (home / ".ssh" / "known_hosts").touch()
    layout = laid(home, share=(home / ".ssh" / "known_hosts",))
    assert layout.opened == (home / ".ssh" / "known_hosts",)
    assert home / ".ssh" in layout.hidden


def test_a_start_up_file_that_is_shared_can_be_written(home):
    assert home / ".bashrc" not in laid(home, share=(home / ".bashrc",)).read_only


def test_the_policys_folder_is_read_only_though_its_tree_is_shared(home):
    rules = home / "work" / "rules"
    rules.mkdir()
    assert rules in laid(home, read_only=(rules,), share=(home / "work",)).read_only


def test_every_share_that_can_t_be_given_is_told_at_once(home):
    with pytest.raises(ConfigError) as caught:
        laid(home, share=(home / "gone", home / ".local/state/outgate/key", home / ".local/state/outgate"))
    assert [p.message for p in caught.value.problems] == [
        f"{home / 'gone'} does not exist, name something that does",
        f"{home / '.local/state/outgate/key'} does not exist, name something that does",
        f"{home / '.local/state/outgate/key'} is the gate's own and can't be shared",
        f"{home / '.local/state/outgate'} is the gate's own and can't be shared",
    ]


def test_every_port_that_can_t_be_given_is_told_at_once(home):
    with pytest.raises(ConfigError) as caught:
        laid(home, direct=(0, 5432, 70000, 3128))
    assert list(map(str, caught.value.problems)) == [
        "--direct: 0 is no port, give one from 1 to 65535",
        "--direct: 70000 is no port, give one from 1 to 65535",
        "--direct: port 3128 is the gate's own inside, serve on another",
    ]


def test_hooks_of_the_repository_around_the_work_are_read_only(home):
    hooks = home / "work" / ".git" / "hooks"
    hooks.mkdir(parents=True)
    (home / "work" / "src").mkdir()
    assert hooks in laid(home, cwd=home / "work" / "src").read_only


def test_for_root_everything_else_is_read_only(home):
    assert set(laid(home, uid=0).writable) <= {Path("/opt"), Path("/usr/local"), Path("/root")}
    assert laid(home, uid=1000).writable == ()


def test_a_home_that_is_not_there_hides_and_guards_nothing_of_it(tmp_path):
    (tmp_path / "work").mkdir()
    layout = laid(tmp_path / "gone", cwd=tmp_path / "work", hide=())
    assert (layout.hidden, layout.guarded) == ((), ())


def test_variables_that_name_hidden_sockets_are_dropped():
    environ = dict.fromkeys(CHANNELS, "unix:path=/run/user/1000/bus") | {"PATH": "/bin"}
    assert without_channels(environ, ()) == {"PATH": "/bin"}


def test_a_variable_that_names_what_is_shared_stays():
    environ = {"SSH_AUTH_SOCK": "/run/user/1000/keyring/ssh"}
    assert without_channels(environ, [Path("/run/user/1000/keyring")]) == environ


def test_what_may_not_be_looked_at_is_not_there(home):
    if os.getuid() == 0:
        assert laid(home, share=()).searched
        return
    (home / "locked").mkdir(mode=0)
    assert laid(home, read_only=(home / "locked" / "x",)).searched
