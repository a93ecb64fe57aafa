"""What of the file system a fenced command sees, can change, and can't."""

import os
import shutil
import socket
import stat
from pathlib import Path

import pytest


def test_the_gates_own_folder_is_empty_and_can_t_be_written(ground):
    script = f"print(os.listdir({str(ground.state)!r})); tried(open, {str(ground.state / 'key')!r}); tried(os.mkdir, {str(ground.state / 'x')!r})"
    assert ground.tries(script).split() == ["[]", "ENOENT", "EROFS"]


def test_a_single_file_of_the_gates_can_t_be_read(ground):
    secret = ground.write(ground.cwd / "gate-key.pem", "secret")
    assert ground.tries(f"tried(open, {str(secret)!r}); tried(os.unlink, {str(secret)!r})", hide=[secret]).split() == [
        "EACCES",
        "EBUSY",
    ]
    assert secret.read_text() == "secret"


def test_no_folder_around_what_is_hidden_can_be_renamed(ground):
    local = ground.home / ".local"
    script = f"tried(os.rename, {str(local)!r}, {str(local) + '2'!r}); tried(os.rename, {str(local / 'state')!r}, {str(local / 's2')!r})"
    assert ground.tries(script).split() == ["EBUSY", "EBUSY"]


@pytest.mark.parametrize("name", [".ssh/id_ed25519", ".gnupg/private-keys-v1.d/a.key", ".docker/run/x"])
def test_keys_and_agents_at_home_are_hidden(ground, name):
    secret = ground.write(ground.home / name, "secret")
    assert ground.tries(f"tried(open, {str(secret)!r})") == "ENOENT"


def test_what_is_shared_is_given_back_and_nothing_beside_it(ground):
    known = ground.write(ground.home / ".ssh" / "known_hosts", "hosts")
    key = ground.write(ground.home / ".ssh" / "id", "secret")
    script = f"print(open({str(known)!r}).read()); tried(open, {str(key)!r})"
    assert ground.tries(script, share=[known]).split() == ["hosts", "ENOENT"]


def test_sharing_all_of_home_doesn_t_give_what_is_hidden_in_it(ground):
    key = ground.write(ground.home / ".ssh" / "id", "secret")
    script = f"tried(open, {str(key)!r}); tried(open, {str(ground.state / 'key')!r})"
    assert ground.tries(script, share=[ground.home]).split() == ["ENOENT", "ENOENT"]


def test_the_gates_own_can_t_be_shared(ground):
    done = ground.run(["true"], share=[ground.state / "key"])
    assert done["kind"] == "ConfigError"
    assert "the gate's own and can't be shared" in done["refused"]


def test_what_is_not_there_can_t_be_shared(ground):
    done = ground.run(["true"], share=[ground.root / "nothing"])
    assert done["refused"] == f"--share: {ground.root / 'nothing'} does not exist, name something that does"


@pytest.mark.parametrize(
    "name", [".bashrc", ".zshenv", ".gitconfig", ".config/fish/config.fish", ".config/systemd/user/x.service"]
)
def test_what_runs_later_at_home_can_be_read_and_not_changed(ground, name):
    file = ground.write(ground.home / name, "mine")
    script = f"""
print(open({str(file)!r}).read())
tried(open, {str(file)!r}, "a")
tried(os.replace, {str(ground.cwd / "mine")!r}, {str(file)!r})
tried(os.unlink, {str(file)!r})
"""
    ground.write(ground.cwd / "mine", "evil")
    said = ground.tries(script).split()
    assert said[:2] == ["mine", "EROFS"]
    assert set(said[2:]) <= {"EBUSY", "EROFS", "EXDEV"}
    assert file.read_text() == "mine"


def test_no_folder_around_what_runs_later_can_be_renamed(ground):
    ground.write(ground.home / ".config" / "fish" / "config.fish")
    config = ground.home / ".config"
    assert ground.tries(f"tried(os.rename, {str(config)!r}, {str(config) + '2'!r})") == "EBUSY"


def test_a_start_up_file_that_was_not_there_is_moved_away_and_told(ground):
    file = ground.home / ".bash_profile"
    done = ground.python(f"open({str(file)!r}, 'w').write('evil')")
    assert done["planted"] == [str(file)]
    assert not file.exists()
    assert (ground.home / ".bash_profile.outgate-refused").read_text() == "evil"


def test_a_start_up_file_that_is_a_link_leads_where_it_did(ground):
    real = ground.write(ground.home / "dotfiles" / "zshrc", "mine")
    link = ground.home / ".zshrc"
    link.symlink_to(real)
    script = f"tried(open, {str(link)!r}, 'a'); os.unlink({str(link)!r}); open({str(link)!r}, 'w').write('evil')"
    done = ground.python(
        "import os, errno\ndef tried(f, *a):\n  try: f(*a)\n  except OSError as e: print(errno.errorcode[e.errno])\n" + script
    )
    assert (done["out"], done["planted"]) == ("EROFS\n", [str(link)])
    assert link.readlink() == real
    assert real.read_text() == "mine"


def test_the_policys_folder_in_the_working_tree_can_be_read_and_not_changed(ground):
    rule = ground.write(ground.cwd / "rules" / "policies" / "p.yaml", "strict")
    script = f"""
print(open({str(rule)!r}).read())
tried(open, {str(rule)!r}, "w")
tried(os.rename, {str(ground.cwd / "rules")!r}, {str(ground.cwd / "r2")!r})
"""
    assert ground.tries(script, read_only=[rule.parent]).split() == ["strict", "EROFS", "EBUSY"]


def test_gits_hooks_can_t_be_changed_and_the_rest_of_the_repository_can(ground):
    ground.write(ground.cwd / ".git" / "hooks" / "pre-commit", "mine")
    ground.write(ground.cwd / ".git" / "config", "[core]")
    script = (
        f"tried(open, {str(ground.cwd / '.git/hooks/post-commit')!r}, 'w'); tried(open, {str(ground.cwd / '.git/config')!r}, 'a')"
    )
    assert ground.tries(script).split() == ["EROFS", "done"]


def test_the_working_directory_can_be_written_and_what_is_written_stays(ground):
    ground.tries("open('made', 'w').write('here')")
    assert (ground.cwd / "made").read_text() == "here"


def test_the_rest_of_home_can_be_written(solid):
    solid.tries(f"open({str(solid.home / 'notes')!r}, 'w').write('x')")
    assert (solid.home / "notes").read_text() == "x"


def test_tmp_is_the_commands_own(ground):
    theirs, mine = (Path("/tmp") / f"outgate-{whose}-{os.getpid()}-{ground.uid}" for whose in ("theirs", "mine"))
    theirs.write_text("x")
    try:
        script = f"tried(open, {str(theirs)!r}); tried(open, {str(mine)!r}, 'w'); print(oct(os.stat('/tmp').st_mode & 0o7777))"
        assert ground.tries(script).split() == ["ENOENT", "done", "0o1777"]
    finally:
        theirs.unlink()
    assert not mine.exists()


def test_run_is_the_commands_own_with_a_runtime_folder_for_its_user(ground):
    script = "print(sorted(set(os.listdir('/run')) - {'lock', 'outgate', 'shm', 'user', 'resolvconf', 'systemd', 'NetworkManager'}), os.access(f'/run/user/{os.getuid()}', os.W_OK))"
    assert ground.tries(script) == "[] True"


def test_the_folder_for_temporary_files_that_the_environment_names_is_there(ground):
    ground.environ = {"TMPDIR": "/tmp/of/mine", "XDG_RUNTIME_DIR": f"/run/user/{ground.uid}"}
    assert ground.tries("import tempfile; print(tempfile.gettempdir())") == "/tmp/of/mine"


def test_the_files_that_the_gate_gives_are_there_and_can_be_read(ground):
    assert ground.tries("print(open('/run/outgate/given').read())") == "from the gate"


def test_devices_are_the_few_that_programs_need(ground):
    left = set(ground.tries("print(*os.listdir('/dev'))").split())
    assert left <= {
        "null",
        "zero",
        "full",
        "random",
        "urandom",
        "tty",
        "console",
        "pts",
        "ptmx",
        "shm",
        "fd",
        "stdin",
        "stdout",
        "stderr",
    }
    assert {"null", "urandom", "pts", "shm"} <= left


def test_a_new_terminal_can_be_opened_inside(ground):
    assert ground.tries("import pty; a, b = pty.openpty(); print(os.ttyname(b))") == "/dev/pts/0"


def test_the_environment_loses_what_leads_to_hidden_sockets(ground):
    ground.environ = {"SSH_AUTH_SOCK": "/tmp/agent", "DBUS_SESSION_BUS_ADDRESS": "unix:path=/run/user/0/bus", "LANG": "C.UTF-8"}
    assert (
        ground.tries("print('SSH_AUTH_SOCK' in os.environ, 'DBUS_SESSION_BUS_ADDRESS' in os.environ, os.environ['LANG'])")
        == "False False C.UTF-8"
    )


def test_an_ssh_agent_that_is_shared_can_be_reached(ground):
    path = str(ground.cwd / "agent.sock")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        Path(path).chmod(0o777)
        server.listen()
        ground.environ = {"SSH_AUTH_SOCK": path}
        assert ground.tries("tried(connect, socket.AF_UNIX, os.environ['SSH_AUTH_SOCK'])", share=[path]) == "done"


def test_a_working_directory_that_the_fence_replaces_is_refused(own):
    done = own.run(["true"], cwd="/tmp")
    assert (done["kind"], "start in a folder below it" in done["refused"]) == ("ConfigError", True)


def test_a_working_directory_that_is_hidden_is_refused(ground):
    done = ground.run(["true"], cwd=str(ground.state))
    assert (done["kind"], "is hidden from the agent" in done["refused"]) == ("ConfigError", True)


def test_a_program_in_tmp_that_path_finds_is_there_to_be_run(ground):
    tool = ground.write(ground.root / "venv" / "bin" / "tool", "#!/bin/sh\ncat $(dirname $0)/../lib/data\n")
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR | stat.S_IXOTH)
    ground.write(ground.root / "venv" / "lib" / "data", "from its own prefix")
    ground.environ = {"PATH": f"{tool.parent}:/usr/bin:/bin"}
    assert ground.run(["tool"])["out"] == "from its own prefix"


needs_root = pytest.mark.skipif(os.getuid() != 0, reason="is about root")


@needs_root
@pytest.mark.parametrize(
    "path",
    [
        "/proc/sys/kernel/core_pattern",
        "/sys/kernel/uevent_seqnum",
        "/etc/profile",
        "/usr/bin/env",
        "/etc/passwd",
    ],
)
def test_root_without_capabilities_can_t_write_what_it_owns_of_the_system(own, path):
    assert own.tries(f"tried(open, {path!r}, 'r+')") in {"EROFS", "EACCES"}


@needs_root
def test_root_finds_no_disk(own):
    script = "import stat; print([e.name for e in os.scandir('/dev') if stat.S_ISBLK(e.stat(follow_symlinks=False).st_mode)])"
    assert own.tries(script) == "[]"


@needs_root
def test_root_can_still_install_locally(own):
    assert own.tries("p = '/usr/local/outgate-test'; open(p, 'w'); os.unlink(p); print('ok')") == "ok"


def test_every_path_that_programs_take_for_granted_is_there(ground):
    script = "print(*[p for p in ('/etc/passwd', '/etc/hosts', '/etc/ssl', '/usr/bin', '/bin/sh', '/proc/self/stat', '/sys/fs') if not os.path.exists(p)])"
    assert ground.tries(script) == ""


def test_names_are_configured_as_outside(ground):
    outside = Path("/etc/resolv.conf").read_text()
    assert ground.tries("print(open('/etc/resolv.conf').read())") == outside.strip()


def test_programs_run_as_the_same_user(ground):
    assert shutil.which("id")
    assert ground.run(["id", "-u"])["out"] == f"{ground.uid}\n"
