"""A layout, done: what is mounted in the fence's own mount namespace."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from outgate.fence.crossing import resolver_file
from outgate.fence.kernel import (
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_PRIVATE,
    MS_RDONLY,
    MS_REC,
    MS_REMOUNT,
    attach_tree,
    bind,
    clone_tree,
    make_read_only,
    mount,
)
from outgate.fence.plan import FOLDER

if TYPE_CHECKING:
    from outgate.fence.plan import Layout

TMPFS = MS_NOSUID | MS_NODEV
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
ACCELERATORS = ("nvidia*", "dri/renderD*", "kfd")
"""Compute devices: no network behind them."""
LINKS = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2", "ptmx": "pts/ptmx"}
ROOTS_PROC = ("sys", "sysrq-trigger", "irq", "bus", "fs", "acpi", "scsi")
"""What the kernel lets uid 0 write in /proc without any capability: core_pattern alone would run a program outside."""


def mount_all(layout: Layout, *, uid: int, named: bool = False) -> None:
    """Rearrange this (new) mount namespace. Raises OSError; then nothing may be run in it.

    Copies of everything that is brought back are taken before anything is covered. Hiding comes after bringing back:
    what is brought back never shows what is hidden. `named`: names are answered in here.
    """
    mount("none", "/", None, MS_REC | MS_PRIVATE)
    kept = [(k, clone_tree(k.path)) for k in layout.kept]
    writable = [(path, clone_tree(path)) for path in layout.writable]
    opened = [(path, clone_tree(path)) for path in layout.opened]
    devices = _devices()
    links = _links(Path("/run"))
    make_read_only("/" if uid == 0 else "/sys")
    for path, tree in writable:
        attach_tree(tree, path)
    _mount_devices(devices)
    for path in layout.private:
        mount("tmpfs", path, "tmpfs", TMPFS, "mode=755" if path.name == "run" else "mode=1777")
    for k, tree in kept:
        _make_place(k.path, folder=_is_folder(tree))
        attach_tree(tree, k.path)
        if not k.writable:
            make_read_only(k.path)
    _furnish_run(links, uid)
    for path in layout.pinned:
        bind(path, path)
    for path in layout.read_only:
        bind(path, path)
        make_read_only(path)
    _hide(layout, [path for path, _ in opened], [tree for _, tree in opened])
    for path, tree in opened:
        attach_tree(tree, path)
    if named and layout.resolver is not None and layout.resolver.exists():
        bind(resolver_file(FOLDER), layout.resolver)
        make_read_only(layout.resolver)


def mount_proc(*, uid: int) -> None:
    """Mount this pid namespace's own /proc. Called by its first process."""
    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    if uid == 0:
        for name in ROOTS_PROC:
            path = Path("/proc", name)
            if path.exists():
                bind(path, path)
                make_read_only(path)


def _is_folder(tree: int) -> bool:
    return os.path.isdir(f"/proc/self/fd/{tree}")  # noqa: PTH112  # the copy itself: its path may be covered by now


def _make_place(path: Path, *, folder: bool) -> None:
    """Something to mount on, where a fresh tmpfs has nothing."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if folder:
        path.mkdir()
    else:
        path.touch()


def _links(run: Path) -> list[tuple[Path, Path]]:
    """Links at the top of /run: distributions hang whole systems on them (NixOS: /run/current-system)."""
    return [(path, path.readlink()) for path in run.iterdir() if path.is_symlink()] if run.is_dir() else []


def _furnish_run(links: list[tuple[Path, Path]], uid: int) -> None:
    for path, target in links:
        if not path.is_symlink() and not path.exists():
            path.symlink_to(target)
    Path("/run/lock").mkdir(mode=0o1777, exist_ok=True)
    own = Path(f"/run/user/{uid}")
    own.mkdir(parents=True, exist_ok=True)
    own.chmod(0o700)
    FOLDER.mkdir(exist_ok=True)


def _devices() -> list[tuple[Path, int]]:
    dev = Path("/dev")
    found = [dev / name for name in DEVICES if (dev / name).exists()]
    found += [path for pattern in ACCELERATORS for path in dev.glob(pattern)]
    terminals = [os.ttyname(descriptor) for descriptor in (0, 1, 2) if os.isatty(descriptor)]
    own = [(dev / "console", clone_tree(terminals[0]))] if terminals else []  # where ttyname(3) then finds it
    return [(path, clone_tree(path)) for path in found] + own


def _mount_devices(devices: list[tuple[Path, int]]) -> None:
    """A /dev with what programs need: no disks, no input devices, no other terminals."""
    dev = Path("/dev")
    mount("tmpfs", dev, "tmpfs", MS_NOSUID, "mode=755")
    for path, tree in devices:
        _make_place(path, folder=_is_folder(tree))
        attach_tree(tree, path)
    (dev / "pts").mkdir()
    mount("devpts", dev / "pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620")
    (dev / "shm").mkdir()
    for name, target in LINKS.items():
        (dev / name).symlink_to(target)
    mount("none", dev, None, MS_REMOUNT | MS_NOSUID | MS_RDONLY, "mode=755")


def _hide(layout: Layout, opened: list[Path], trees: list[int]) -> None:
    """Cover folders with an empty read-only one, anything else with an empty file: connecting to that is refused."""
    void = FOLDER / "void"
    void.touch(mode=0o000)
    for path in layout.hidden:
        if not path.is_dir():
            bind(void, path)
            make_read_only(path)
            continue
        mount("tmpfs", path, "tmpfs", TMPFS, "mode=555,size=64k")
        for wanted, tree in zip(opened, trees, strict=True):
            if path in wanted.parents:
                _make_place(wanted, folder=_is_folder(tree))
        make_read_only(path)
    void.unlink()
