import gzip
import os
import subprocess
import zlib

import brotli
import pytest
import zstandard
from asked import asked, with_body

from outgate.actions.catalog import Catalog
from outgate.actions.identify import identify, wants_body
from outgate.actions.protocols.git import COMMITS_READ, MOST_REFS
from outgate.intake.request import NoBody, UnreadBody, WholeBody
from outgate.stores.catalog_files import load_catalog

CATALOG = load_catalog()
PUSH = "POST https://github.com/acme/site.git/git-receive-pack"
ZERO, ONE, TWO = "0" * 40, "1" * 40, "2" * 40
MAIN = "refs/heads/main"


def packet(content):
    return b"%04x" % (len(content) + 4) + content


def push(*commands, pack=b"", caps=b"\0 report-status side-band-64k agent=git/2"):
    lines = [f"{old} {new} {ref}".encode() for old, new, ref in commands]
    first = [packet(lines[0] + caps)] if lines else []
    return b"".join([*first, *(packet(line) for line in lines[1:]), b"0000", pack])


def pushed(content, line=PUSH, **asking):
    return identify(asked(line, body=WholeBody(content), **asking), CATALOG)


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """Five commits on main, and one that forgets the last two."""
    return Repository(tmp_path_factory.mktemp("repository"))


class Repository:
    def __init__(self, folder):
        self._folder = folder
        self.git("init", "-q", "-b", "main", ".")
        for number in range(5):
            self.commit(f"c{number}")
        self.git("branch", "rewritten", "main~4")
        self.git("checkout", "-q", "rewritten")
        self.commit("other")

    def git(self, *args, given=b""):
        fixed = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null", "HOME": str(self._folder)}
        who = ("-c", "user.name=n", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
        return subprocess.run(
            ["git", *who, *args], cwd=self._folder, input=given, capture_output=True, check=True, env=os.environ | fixed
        ).stdout

    def commit(self, name):
        (self._folder / name).write_text(name * 100)
        self.git("add", ".")
        self.git("commit", "-qm", f"{name}\n\nparent {ONE}\n")

    def oid(self, name):
        return self.git("rev-parse", name).decode().strip()

    def pack(self, new, old):
        return self.git("pack-objects", "--revs", "--thin", "--stdout", "-q", given=f"{new}\n^{old}\n".encode())


def test_a_fetch_is_a_read():
    (action,) = identify(asked("GET https://github.com/acme/site.git/info/refs?service=git-upload-pack"), CATALOG)
    assert (action.name, action.resource, action.access.value, action.mapped) == (
        "git.fetch",
        "github.com/acme/site",
        "read",
        True,
    )


def test_a_ref_that_is_made(repository):
    new = repository.oid("main")
    (action,) = pushed(push((ZERO, new, "refs/heads/feature"), pack=repository.pack(new, repository.oid("main~2"))))
    assert (action.name, action.resource, action.access.value, action.tier.name) == (
        "git.push",
        "github.com/acme/site",
        "write",
        "T1",
    )
    assert action.params == {"ref": "refs/heads/feature", "kind": "create", "old": ZERO, "new": new}


def test_a_ref_that_moves_forward_is_proven_from_the_pack(repository):
    old, new = repository.oid("main~2"), repository.oid("main")
    (action,) = pushed(push((old, new, MAIN), pack=repository.pack(new, old)))
    assert (action.params["forward"], action.tier.name) == (True, "T1")
    assert action.evidence == ("git", "fast-forward")


def test_a_tag_that_moves_is_worse_even_forward(repository):
    old, new = repository.oid("main~2"), repository.oid("main")
    (action,) = pushed(push((old, new, "refs/tags/v1"), pack=repository.pack(new, old)))
    assert (action.params["forward"], action.tier.name) == (True, "T2")


def test_a_repository_is_its_owners():
    for line, owner in (("github.com/acme/site.git", "organisation:acme"), ("gitlab.com/acme/team/site", "organisation:acme")):
        (action,) = identify(asked(f"POST https://{line}/git-upload-pack"), CATALOG)
        assert action.instance == owner


def test_a_ref_that_loses_history_is_not_proven(repository):
    old, new = repository.oid("main"), repository.oid("rewritten")
    (action,) = pushed(push((old, new, MAIN), pack=repository.pack(new, old)))
    assert (action.params["forward"], action.tier.name) == (False, "T2")
    assert action.evidence == ("git", "not proven fast-forward")


def test_a_ref_that_moves_without_a_pack_is_not_proven():
    (action,) = pushed(push((ONE, TWO, MAIN)))
    assert (action.params["forward"], action.tier.name) == (False, "T2")


def test_a_parent_in_the_text_of_a_commit_proves_nothing(repository):
    """Each message has a line `parent 111…`."""
    new = repository.oid("main")
    (action,) = pushed(push((ONE, new, MAIN), pack=repository.pack(new, repository.oid("main~2"))))
    assert action.params["forward"] is False


def test_a_parent_that_stands_after_the_author_proves_nothing(repository):
    """git reads parents right after the tree and nowhere else: such a commit has none, and the push loses history."""
    tree = repository.git("rev-parse", "main^{tree}").decode().strip()
    old = repository.oid("main")
    forged = f"tree {tree}\nauthor n <a@b> 0 +0000\nparent {old}\ncommitter n <a@b> 0 +0000\n\nm\n".encode()
    new = repository.git("hash-object", "-t", "commit", "-w", "--literally", "--stdin", given=forged).decode().strip()
    (action,) = pushed(push((old, new, MAIN), pack=repository.pack(new, old)))
    assert action.params["forward"] is False


def test_a_ref_that_is_deleted():
    (action,) = pushed(push((ONE, ZERO, MAIN)))
    assert (action.params["kind"], action.access.value, action.tier.name) == ("delete", "delete", "T2")


def test_every_ref_is_an_action_of_its_own():
    actions = pushed(push((ZERO, ONE, "refs/heads/a"), (ONE, ZERO, "refs/heads/b"), (ZERO, ONE, "refs/tags/v1")))
    assert [(a.params["ref"], a.params["kind"]) for a in actions] == [
        ("refs/heads/a", "create"),
        ("refs/heads/b", "delete"),
        ("refs/tags/v1", "create"),
    ]


def test_a_compressed_push_is_read(repository):
    old, new = repository.oid("main~2"), repository.oid("main")
    content = gzip.compress(push((old, new, MAIN), pack=repository.pack(new, old)))
    (action,) = pushed(content, headers={"content-encoding": "gzip"})
    assert (action.name, action.params["forward"]) == ("git.push", True)


@pytest.mark.parametrize("coding", ["br", "deflate", "zstd", "x-gzip", "gzip, gzip"])
def test_a_push_in_a_coding_that_git_does_not_know_is_unreadable(coding):
    content = {"br": brotli.compress, "deflate": zlib.compress, "zstd": zstandard.compress}.get(coding, gzip.compress)
    (action,) = pushed(content(push((ZERO, ONE, "refs/heads/a"))), headers={"content-encoding": coding})
    assert action.name == "git.unreadable"


def test_sha256_repositories_have_longer_ids():
    (action,) = pushed(push(("0" * 64, "a" * 64, MAIN)))
    assert action.params["new"] == "a" * 64


def test_of_a_push_that_is_too_large_the_start_is_enough():
    content = push((ONE, TWO, MAIN), pack=b"PACK" + bytes(100))
    (action,) = identify(asked(PUSH, body=UnreadBody(10**9, too_large=True, head=content)), CATALOG)
    assert (action.name, action.params["ref"], action.tier.name) == ("git.push", MAIN, "T2")


def test_of_a_push_that_nobody_has_read_nothing_is_known():
    (action,) = identify(asked(PUSH, body=UnreadBody(10**9, too_large=True)), CATALOG)
    assert (action.name, action.access.value, action.mapped) == ("git.unreadable", "unknown", False)


def test_an_empty_push_is_only_a_question():
    (action,) = pushed(b"0000")
    assert action.name == "git.discover-push"


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"0", b"000", b"0001", b"0003", b"zzzz", b"ffff", b"0008abcd", b"hello world, this is no packet"),
        packet(f"{ONE} {TWO} {MAIN}".encode()),
        *(packet(b"push-cert\0 x") + b"0000", packet(b"x") + b"0000", packet(f"{ONE} {TWO}".encode()) + b"0000"),
        packet(f"{ONE} {TWO} refs/heads/".encode() + b"\xff") + b"0000",
        *(push((ONE, TWO, ref)) for ref in ("main", "refs/heads/a b", "refs/heads/..", "refs/heads/a\\b", "refs/heads/a\x7f", "refs/heads//a")),
        *(push((ONE[:39], TWO, MAIN)), push((ONE.replace("1", "G"), TWO, MAIN)), push((ONE, "a" * 64, MAIN))),
        push(*((ZERO, ONE, f"refs/heads/{n}") for n in range(MOST_REFS + 1))),
    ],
)  # fmt: skip
def test_a_push_that_can_not_be_read_is_unreadable(content):
    (action,) = pushed(content)
    assert (action.name, action.access.value, action.tier.name, action.mapped) == ("git.unreadable", "unknown", "T2", False)


@pytest.mark.parametrize(
    "pack",
    [
        b"PACK",
        b"PACK" + bytes(8),
        b"PACK\0\0\0\2\xff\xff\xff\xff" + b"\x90" * 50,
        b"PACK\0\0\0\2\0\0\0\1" + b"\x9f" + b"\xff" * 20,
        b"XXXX",
    ],
)
def test_a_damaged_pack_proves_nothing(pack):
    (action,) = pushed(push((ONE, TWO, MAIN), pack=pack))
    assert action.params["forward"] is False


@pytest.mark.parametrize("host", ["git.unknown.test", "evil.test:8443"])
def test_of_a_host_that_nobody_declared_git_is_a_guess(host):
    (fetch,) = identify(asked(f"POST https://{host}/a/b.git/git-upload-pack"), CATALOG)
    assert (fetch.name, fetch.access.value, fetch.mapped) == ("git.fetch", "unknown", False)
    (push_,) = pushed(push((ZERO, ONE, MAIN)), line=f"POST https://{host}/a/b.git/git-receive-pack")
    assert (push_.name, push_.resource, push_.mapped) == ("git.push", f"{host}/a/b", False)


def test_a_path_that_only_a_lenient_server_takes_for_a_push_is_a_guess():
    (action,) = pushed(push((ZERO, ONE, MAIN)), line="POST https://github.com/acme//site.git/git%2Dreceive-pack")
    assert (action.name, action.resource, action.mapped) == ("git.push", "github.com/acme/site", False)


def test_the_api_s_host_speaks_no_git():
    (action,) = pushed(push((ZERO, ONE, MAIN)), line="POST https://api.github.com/a/b.git/git-receive-pack")
    assert action.name == "github.POST"


def test_the_body_of_a_push_is_wanted_and_that_of_a_fetch_is_not():
    assert wants_body(asked(PUSH), CATALOG)
    assert not wants_body(asked("POST https://github.com/a/b.git/git-upload-pack"), CATALOG)
    assert wants_body(asked("POST https://git.unknown.test/a/b.git/git-receive-pack"), Catalog())


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('{"operation": "download"}', "git.lfs-download"),
        ('{"operation": "upload"}', "git.lfs-upload"),
        ('{"operation": "x"}', "git.unreadable"),
        ('{"operation": "download", "operation": "upload"}', "git.unreadable"),
        ("[]", "git.unreadable"),
    ],
)
def test_lfs_says_which_way(text, name):
    line = "POST https://github.com/a/b.git/info/lfs/objects/batch"
    (action,) = identify(asked(line, text=text, headers={"content-type": "application/vnd.git-lfs+json"}), CATALOG)
    assert action.name == name


def test_a_push_without_a_body_is_unreadable():
    (action,) = identify(with_body(asked(PUSH), NoBody()), CATALOG)
    assert action.name == "git.unreadable"


def test_commits_that_unpack_to_too_much_prove_nothing_more(repository):
    old = repository.oid("main")
    large = f"tree {repository.git('rev-parse', 'main^{tree}').decode().strip()}\nparent {old}\nauthor n <a@b> 0 +0000\ncommitter n <a@b> 0 +0000\n\n"
    new = (
        repository.git("hash-object", "-t", "commit", "-w", "--stdin", given=(large + "x" * COMMITS_READ).encode())
        .decode()
        .strip()
    )
    (action,) = pushed(push((old, new, MAIN), pack=repository.pack(new, old)))
    assert action.params["forward"] is False
