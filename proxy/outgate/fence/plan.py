"""What the fence does to the file system, worked out before anything is done: a plan in, a layout out."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from outgate.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from outgate.fence.sockets import Found

PORT = 3128
"""Where the gate listens inside: a network of its own, so the number is always free."""
FOLDER = Path("/run/outgate")
"""Where our files are inside."""
PRIVATE = tuple(map(Path, ("/tmp", "/var/tmp", "/dev/shm", "/run", "/var/run")))  # noqa: S108  # these are what is replaced
"""Fresh and empty inside. Most sockets of other programs live there."""

HIDDEN_AT_HOME = (".ssh", ".gnupg", ".docker/run", ".docker/desktop", ".colima", ".1password")
"""Keys, agents and engines: whole folders, as sockets come and go in them."""
HIDDEN = (
    "/mnt/wslg",
    "/var/lib/lxd/unix.socket",
    "/var/snap/lxd/common/lxd/unix.socket",
    "/var/lib/incus/unix.socket",
    "/var/lib/sss/pipes",
    "/var/spool/postfix/public",
    "/var/spool/postfix/private",
)
START_UP = (
    *(".profile", ".login", ".logout", ".inputrc", ".pam_environment", ".environment"),
    *(".bashrc", ".bash_profile", ".bash_login", ".bash_logout", ".bash_aliases"),
    *(".zshrc", ".zshenv", ".zprofile", ".zlogin", ".zlogout", ".oh-my-zsh/custom"),
    *(".cshrc", ".tcshrc", ".kshrc", ".mkshrc", ".xonshrc"),
    *(".xprofile", ".xinitrc", ".xsession", ".xsessionrc", ".Xresources"),
    *(".tmux.conf", ".screenrc", ".vimrc", ".exrc", ".gitconfig", ".curlrc", ".local/share/systemd/user"),
)
"""What runs later, outside, as the same user; below the home directory."""
START_UP_CONFIG = (
    *("fish", "nushell", "xonsh", "powershell", "environment.d", "systemd/user", "autostart", "autostart-scripts"),
    *("plasma-workspace/env", "plasma-workspace/shutdown", "tmux", "git", "containers", "outgate"),
)
"""The same, below the configuration folder (XDG_CONFIG_HOME, else ~/.config)."""
ROOT_WRITABLE = ("/usr/local", "/opt")
"""Where root still installs things: the rest of the system is read-only for a fenced root."""
MOST_LINKS = 40
RESOLV_CONF = Path("/etc/resolv.conf")
MOST_PORTS = 100
"""Each takes two sockets, and all are handed over in one message."""
CHANNELS = frozenset(
    {
        *("SSH_AUTH_SOCK", "DBUS_SESSION_BUS_ADDRESS", "DBUS_SYSTEM_BUS_ADDRESS", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY"),
        *("TMUX", "STY", "DOCKER_HOST", "CONTAINER_HOST", "GPG_AGENT_INFO", "SESSION_MANAGER", "NOTIFY_SOCKET", "LISTEN_FDS"),
        *("VSCODE_IPC_HOOK_CLI", "VSCODE_GIT_IPC_HANDLE", "KITTY_LISTEN_ON", "WEZTERM_UNIX_SOCKET", "WSL_INTEROP"),
    }
)
"""Variables that lead to sockets which are not there any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FencePlan:
    """What `run` asks for.

    `hide`: the gate's state and keys; `read_only`: policies, and the gate's own program; `names`: by which people come to these.
    `turned`: TCP ports that are the gate's wherever they are connected to; none, and a program must come by the proxy.
    """

    command: tuple[str, ...]
    environ: Mapping[str, str]
    cwd: Path
    home: Path
    hide: tuple[Path, ...] = ()
    read_only: tuple[Path, ...] = ()
    names: tuple[Path, ...] = ()
    share: tuple[Path, ...] = ()
    direct: tuple[int, ...] = ()
    turned: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Something of a private folder that is brought back."""

    path: Path
    writable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Every path is absolute, without symbolic links, and there; each tuple has parents before what is in them."""

    private: tuple[Path, ...]
    kept: tuple[Kept, ...]
    writable: tuple[Path, ...]
    """For root alone: all else is read-only."""
    pinned: tuple[Path, ...]
    read_only: tuple[Path, ...]
    hidden: tuple[Path, ...]
    opened: tuple[Path, ...]
    """Shared, though in something hidden."""
    guarded: tuple[Path, ...]
    """Names, as they are spelt, that may not come to mean something else: `startup.py` looks again afterwards."""
    resolver: Path | None
    """Where it is written who is asked for names (resolv.conf)."""
    searched: bool
    """Whether every folder was searched for sockets to the end."""


def lay_out(plan: FencePlan, find: Callable[[Iterable[Path]], Found], *, uid: int) -> Layout:
    """Work out what is hidden, kept, read-only and given back. Raises ConfigError for what can't be given.

    Looks at the file system, changes nothing. `find` gives the sockets below folders, and elsewhere. What is the gate's
    own stays hidden whatever is shared; sharing a folder gives back what is named, not what is hidden in it.
    """
    _check_ports(plan)
    plan = replace(plan, cwd=plan.cwd.resolve(), home=plan.home.resolve(), share=_shared(plan))
    private = tuple(dict.fromkeys(path.resolve() for path in PRIVATE if path.is_dir()))
    kept = tuple(_kept(plan, private))
    back = [k.path for k in kept]
    sockets = find([folder for folder in dict.fromkeys((plan.home, plan.cwd, *back)) if folder.is_dir()])

    def visible(path: Path) -> bool:
        return _there(path) and (not _inside(path, private) or _inside(path, back))

    at_risk = [path for path in _to_hide(plan) if path not in plan.share]
    risky = [path for path in sockets.paths if not any(_inside(path, [s]) and _inside(s, private) for s in plan.share)]
    hidden = _tidy(path for path in (*_own(plan), *at_risk, *risky) if visible(path) and path not in plan.share)
    _check(plan, hidden, private)
    protected = (path for path in _to_protect(plan) if visible(path) and path not in plan.share)
    read_only = _tidy(path for path in protected if not _inside(path, hidden))
    return Layout(
        private=private,
        kept=kept,
        writable=tuple(_root_writable(plan)) if uid == 0 else (),
        pinned=_pins((*hidden, *read_only), private, back),
        read_only=read_only,
        hidden=hidden,
        opened=_tidy(path for path in plan.share if _inside(path, hidden)),
        guarded=tuple(_guarded(plan)),
        resolver=RESOLV_CONF.resolve() if plan.turned and RESOLV_CONF.exists() else None,
        searched=sockets.whole,
    )


def without_channels(environ: Mapping[str, str], shared: Iterable[Path]) -> dict[str, str]:
    """The environment without what names a socket that the fence hides, unless one that is shared is named."""
    given = [str(path) for path in shared]
    return {k: v for k, v in environ.items() if k not in CHANNELS or any(path in v for path in given)}


def _check_ports(plan: FencePlan) -> None:
    wrong = [port for port in plan.direct if not 0 < port < 65536]
    taken = [f"port {PORT} is the gate's own inside, serve on another"] if PORT in plan.direct else []
    problems = [f"{port} is no port, give one from 1 to 65535" for port in wrong] + taken
    if problems:
        raise ConfigError(*(Problem(source="--direct", message=problem) for problem in problems))
    if len(plan.direct) + len(plan.turned) > MOST_PORTS:
        raise ConfigError(Problem(source="--direct", message=f"these are too many ports, a fence has {MOST_PORTS} at most"))


def _shared(plan: FencePlan) -> tuple[Path, ...]:
    own = [path.resolve() for path in plan.hide]
    problems = [f"{path} does not exist, name something that does" for path in plan.share if not _there(path)]
    problems += [f"{path} is the gate's own and can't be shared" for path in plan.share if _inside(path.resolve(), own)]
    if problems:
        raise ConfigError(*(Problem(source="--share", message=problem) for problem in problems))
    return tuple(dict.fromkeys(path.resolve() for path in plan.share))


def _kept(plan: FencePlan, private: tuple[Path, ...]) -> Iterator[Kept]:
    """What of /tmp and /run has to be there: what is shared, where the work is, what runs it, how names are configured."""
    writable = [path for path in (*plan.share, plan.cwd, plan.home) if _there(path) and _inside(path, private)]
    readable = [path for path in (*_programs(plan), *_resolver()) if _there(path) and _inside(path, private)]
    wanted = [Kept(path=path, writable=True) for path in writable if path not in private or path in plan.share]
    wanted += [Kept(path=path, writable=False) for path in readable if path not in private and not _inside(path, writable)]
    yield from sorted(dict.fromkeys(wanted), key=lambda k: (len(k.path.parts), k.path))


def _resolver() -> Iterator[Path]:
    """Each file on the way that /etc/resolv.conf leads."""
    path = RESOLV_CONF
    for _ in range(MOST_LINKS):
        if not path.is_symlink():
            return
        path = Path(os.path.normpath(path.parent / path.readlink()))
        yield path


def _programs(plan: FencePlan) -> Iterator[Path]:
    """Folders with the command and with what PATH finds: of a `bin`, the installation that it is in."""
    command = shutil.which(plan.command[0], path=plan.environ.get("PATH")) if plan.command else None
    if command:
        yield from (_installation(folder) for folder in (Path(command).absolute().parent, Path(command).resolve().parent))
        yield Path(command).resolve()
    for part in plan.environ.get("PATH", "").split(os.pathsep):
        if part.startswith("/"):
            yield _installation(Path(part))


def _installation(folder: Path) -> Path:
    folder = folder.resolve()
    return folder.parent if folder.name in {"bin", "sbin"} and folder.parent not in PRIVATE else folder


def _root_writable(plan: FencePlan) -> Iterator[Path]:
    environments = (plan.environ.get(name) for name in ("VIRTUAL_ENV", "CONDA_PREFIX"))
    named = (Path(path).resolve() for path in environments if path)
    wanted = (plan.cwd, plan.home, *map(Path, ROOT_WRITABLE), *plan.share, *named)
    return iter(_tidy(path for path in wanted if _there(path) and path != Path("/") and not _inside(path, PRIVATE)))


def _config(plan: FencePlan) -> Path:
    named = plan.environ.get("XDG_CONFIG_HOME", "")
    return Path(named) if named.startswith("/") else plan.home / ".config"


def _start_up(plan: FencePlan) -> Iterator[Path]:
    if plan.home != Path("/"):
        yield from (plan.home / name for name in START_UP)
        yield from (_config(plan) / name for name in START_UP_CONFIG)


def _guarded(plan: FencePlan) -> Iterator[Path]:
    """Not in a private folder: what is made there is gone afterwards."""
    names = [*_start_up(plan), plan.home / ".ssh", plan.home / ".gnupg"] if plan.home.is_dir() else []
    return (path for path in (*names, *plan.names) if not _inside(path.resolve(), plan.share))


def _to_protect(plan: FencePlan) -> Iterator[Path]:
    repository = next((folder for folder in (plan.cwd, *plan.cwd.parents) if (folder / ".git").exists()), plan.cwd)
    schedules = (Path("/var/spool/cron"), Path("/var/spool/at"))
    return (path.resolve() for path in (*_start_up(plan), *plan.read_only, repository / ".git" / "hooks", *schedules))


def _own(plan: FencePlan) -> Iterator[Path]:
    return (path.resolve() for path in plan.hide)


def _to_hide(plan: FencePlan) -> Iterator[Path]:
    yield from ((plan.home / name).resolve() for name in HIDDEN_AT_HOME)
    yield from (Path(path).resolve() for path in HIDDEN)
    if (agent := plan.environ.get("SSH_AUTH_SOCK", "")).startswith("/"):
        yield Path(agent).resolve()


def _check(plan: FencePlan, hidden: tuple[Path, ...], private: tuple[Path, ...]) -> None:
    if plan.cwd in private and plan.cwd not in plan.share:
        raise ConfigError(
            f"the fence gives the agent a {plan.cwd} of its own, so it can't work in yours: start in a folder below it"
        )
    if _inside(plan.cwd, hidden):
        raise ConfigError(f"{plan.cwd} is hidden from the agent, so it can't work there: start elsewhere")


def _pins(protected: Iterable[Path], private: tuple[Path, ...], back: list[Path]) -> tuple[Path, ...]:
    """Folders that could be renamed with what is protected in them: as mount points they can't be (rename(2), EBUSY)."""
    pins = {
        folder
        for path in protected
        for folder in path.parents
        if folder.parent != folder
        and os.access(folder.parent, os.W_OK)
        and (not _inside(folder, private) or any(_inside(folder.parent, [k]) for k in back))
    }
    return tuple(sorted(pins, key=lambda path: (len(path.parts), path)))


def _there(path: Path) -> bool:
    """Whether it is there for us: what we may not look at, the agent may not either."""
    try:
        return path.exists()
    except PermissionError:
        return False


def _inside(path: Path, folders: Iterable[Path]) -> bool:
    return any(path == folder or folder in path.parents for folder in folders)


def _tidy(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Each once, parents first, without what lies in another of them."""
    each = set(paths)
    return tuple(sorted((path for path in each if each.isdisjoint(path.parents)), key=lambda path: (len(path.parts), path)))
