"""Real namespaces: a fence in a process of its own, as root and as an ordinary user; skipped only where the machine denies them."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest

DRIVER = Path(__file__).parent / "driver.py"
NOBODY = 65534
USERS = {"root": 0, "nobody": NOBODY} if os.getuid() == 0 else {"user": os.getuid()}
PYTHON = next(p for p in ("/usr/bin/python3", "/usr/local/bin/python3", sys.executable) if os.access(p, os.X_OK))


def denied() -> str:
    """Why this machine can't build a fence; empty if it can."""
    tried = "import os; os.unshare(os.CLONE_NEWUSER | os.CLONE_NEWNS | os.CLONE_NEWNET | os.CLONE_NEWPID)"
    done = subprocess.run([sys.executable, "-c", tried], capture_output=True, text=True, check=False)
    return done.stderr.strip().splitlines()[-1] if done.returncode else ""


DENIED = denied()


def pytest_collection_modifyitems(items):
    for item in items:
        if DENIED and "unfenced" not in item.name and Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=f"unshare is denied here: {DENIED}"))


@dataclass
class Ground:
    """A user, and folders of that user's: a home, a working directory, and the gate's own state."""

    uid: int
    root: Path
    environ: dict[str, str] = field(default_factory=dict)
    started: list[subprocess.Popen] = field(default_factory=list)

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def cwd(self) -> Path:
        return self.home / "work"

    @property
    def state(self) -> Path:
        return self.home / ".local" / "state" / "outgate"

    def write(self, path: Path, text: str = "") -> Path:
        """A file of this user's, with the folders that it needs."""
        self.folder(path.parent)
        path.write_text(text)
        os.chown(path, self.uid, self.uid)
        return path

    def folder(self, path: Path) -> Path:
        for one in [*reversed(path.parents), path]:
            if not one.exists():
                one.mkdir()
                os.chown(one, self.uid, self.uid)
        return path

    def asked(self, command, **more) -> dict:
        paths = {name: [str(p) for p in more.pop(name)] for name in ("hide", "read_only", "share") if name in more}
        return {
            "command": list(map(str, command)),
            "uid": self.uid,
            "cwd": str(self.cwd),
            "home": str(self.home),
            "environ": {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": str(self.home), **self.environ},
            "hide": [str(self.state)],
            **paths,
            **more,
        }

    def start(self, command, *, stdin=subprocess.PIPE, pass_fds=(), **more) -> subprocess.Popen:
        asked = self.write(self.root / "asked.json", json.dumps(self.asked(command, **more)))
        driver = subprocess.Popen(
            [sys.executable, DRIVER, asked],
            env={**os.environ, "TMPDIR": str(self.root)},
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            pass_fds=pass_fds,
            start_new_session=True,
        )
        self.started.append(driver)
        return driver

    def remove(self) -> None:
        for driver in self.started:
            driver.kill()  # and with it whatever it let go
            driver.communicate()
        shutil.rmtree(self.root)

    def run(self, command, **more) -> dict:
        """Let a command go and give what was seen of it; `err` is its standard error."""
        driver = self.start(command, **more)
        out, err = driver.communicate(timeout=60)
        assert out, err
        return {**json.loads(out.splitlines()[-1]), "err": err}

    def python(self, script: str, **more) -> dict:
        return self.run([PYTHON, "-I", "-c", script], **more)

    def tries(self, script: str, **more) -> str:
        """What a Python script prints inside."""
        done = self.python(TRY + script, **more)
        assert "out" in done, done
        assert done["code"] == 0, done
        return done["out"].strip()


TRY = """
import ctypes, errno, os, socket, sys
def tried(step, *args, **kwargs):
    try:
        step(*args, **kwargs)
    except OSError as error:
        print(errno.errorcode[error.errno] if error.errno else type(error).__name__)
    else:
        print("done")
def connect(family, address, kind=socket.SOCK_STREAM):
    with socket.socket(family, kind) as s:
        s.settimeout(20)
        s.connect(address)
        if kind == socket.SOCK_DGRAM and family != socket.AF_UNIX:
            s.send(b"x"); s.recv(1)
"""


def make_ground(uid: int, under: str) -> Ground:
    root = Path(tempfile.mkdtemp(prefix="outgate-fence-", dir=under))
    root.chmod(0o755)
    ground = Ground(uid=uid, root=root)
    os.chown(root, uid, uid)
    ground.folder(ground.cwd)
    ground.write(ground.state / "key", "the gate's key")
    return ground


@pytest.fixture(params=USERS)
def ground(request):
    """In /tmp, which the fence makes private: what belongs to the work is brought back."""
    made = make_ground(USERS[request.param], tempfile.gettempdir())
    yield made
    made.remove()


@pytest.fixture(params=USERS)
def solid(request):
    """Where nothing is private."""
    made = make_ground(USERS[request.param], "/opt" if os.getuid() == 0 else str(Path.home()))
    yield made
    made.remove()


@pytest.fixture
def own():
    """As whoever runs the tests."""
    made = make_ground(os.getuid(), tempfile.gettempdir())
    yield made
    made.remove()


@pytest.fixture
def ordinary():
    """As a user without privileges."""
    made = make_ground([*USERS.values()][-1], tempfile.gettempdir())
    yield made
    made.remove()
