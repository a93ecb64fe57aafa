"""git over HTTP: which refs a push creates, moves or deletes, and whether it is proven that none loses history."""

from __future__ import annotations

import hashlib
import re
import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from outgate.actions.action import Access, Action, Confidence, Tier
from outgate.actions.arguments import Arguments, has_variants, media_type
from outgate.actions.operation import Operation
from outgate.actions.paths import plainest, readable
from outgate.actions.protocols.pkt_line import packet, section
from outgate.intake.bodies import Undecodable, decode_head
from outgate.intake.request import NoBody, SpooledBody, UnreadBody, WholeBody

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from outgate.actions.action import Param
    from outgate.intake.request import Request

MOST_REFS = 1000
MOST_COMMITS = 2000
PUSH_READ = 2**20
"""Bytes of a push that are looked at: commits come first in a pack, so that proves all but the longest histories."""
COMMITS_READ = 4 * 2**20
"""Bytes of all commits together, unpacked: so that no pack of nothing but commits keeps us busy."""

_SERVICE = re.compile(r"/(?P<repo>.+?)(?:\.git)?/(?P<rest>info/refs|git-upload-pack|git-receive-pack|info/lfs/objects/batch)")
_COMMAND = re.compile(rb"([0-9a-f]{40}|[0-9a-f]{64}) ([0-9a-f]{40}|[0-9a-f]{64}) (refs/[!-\x7e\x80-\xff]+|HEAD)\n?")
_COMMIT = re.compile(rb"tree [0-9a-f]{40,64}\n((?:parent (?:[0-9a-f]{64}|[0-9a-f]{40})\n){0,64})(?!parent )")
"""Parents are where git reads them, right after the tree: a line further down that looks like one is none."""
_REFUSED_IN_REF = re.compile(r"[\x00-\x20\x7f ~^:?*\[\\]|\.\.|@\{|//")
_TAGS = "refs/tags/"
_PACK_COMMIT = 1

_LFS = frozenset({"operation"})
OPERATIONS = (
    Operation(service="git", operation="fetch", access=Access.READ, tier=Tier.T0, why="refs and objects are read"),
    Operation(service="git", operation="discover-push", access=Access.READ, tier=Tier.T0, why="only lists refs, before a push"),
    Operation(
        service="git",
        operation="push",
        access=Access.WRITE,
        tier=Tier.T1,
        params={"ref": "string", "kind": "string", "old": "string", "new": "string", "forward": "bool"},
        why="a ref is created or moved forward; T2 where it is deleted or may lose history",
    ),
    Operation(service="git", operation="lfs-download", access=Access.READ, tier=Tier.T0, why="asks where large files are"),
    Operation(service="git", operation="lfs-upload", access=Access.WRITE, tier=Tier.T1, why="asks to upload large files"),
    Operation(service="git", operation="unreadable", access=Access.UNKNOWN, tier=Tier.T2, why="the body can't be read"),
)
_BY_NAME: Mapping[str, Operation] = {operation.operation: operation for operation in OPERATIONS}


@dataclass(frozen=True, slots=True)
class _Command:
    old: str
    new: str
    ref: str

    @property
    def kind(self) -> str:
        if not self.new.strip("0"):
            return "delete"
        return "update" if self.old.strip("0") else "create"


def speaks(request: Request) -> bool:
    """Whether a request is one of git's, by its method, its path and for the listing of refs its query."""
    match = _SERVICE.fullmatch(plainest(request.path))
    if match is None:
        return False
    if match["rest"] == "info/refs":
        return request.method == "GET" and _asked(request) in {"git-upload-pack", "git-receive-pack"}
    return request.method == "POST"


def wants_body(request: Request) -> bool:
    """Whether the body says what is done: of a push and of LFS it does."""
    return speaks(request) and request.method == "POST" and not plainest(request.path).endswith("/git-upload-pack")


def identify(request: Request, *, declared: bool) -> tuple[Action, ...]:
    """Give the actions of a request that `speaks` git. `declared`: a service file says that this host does too."""
    path = plainest(request.path)
    match = _SERVICE.fullmatch(path)
    repository = request.authority + readable(f"/{match['repo'].strip('/')}" if match else path)
    known = declared and path == request.path
    match match["rest"] if match else "":
        case "info/refs":
            return (_action("fetch" if _asked(request) == "git-upload-pack" else "discover-push", repository, declared=known),)
        case "git-upload-pack":
            return (_fetch(repository, declared=known),)
        case "git-receive-pack":
            return _push(request, repository, declared=known)
        case _:
            return (_lfs(request, repository, declared=known),)


def before_pack(request: Request) -> tuple[bytes, ...] | None:
    """Give what a push says, without its pack: ref updates, capabilities, push options. None where that can't be told.

    A pack differs from one packing to the next; the ids in the updates name what is in it.
    """
    body = _start(request)
    if isinstance(body, Undecodable) or isinstance(_commands(body), Undecodable):
        return None
    said, rest = section(body) or ((), b"")
    capabilities = said[0].partition(b"\0")[2].split() if said else []
    if b"push-options" in capabilities:
        options = section(rest)
        if options is None:
            return None
        said, rest = (*said, b"", *options[0]), options[1]
    whole = isinstance(request.body, WholeBody) and len(body) < PUSH_READ
    return said if rest.startswith(b"PACK") or (whole and not rest) else None


def _asked(request: Request) -> str:
    """`?service=…` and nothing else (gitprotocol-http)."""
    name, _, service = (request.query or "").partition("=")
    return service if name == "service" else ""


def _action(name: str, repository: str, *, declared: bool) -> Action:
    known = _BY_NAME[name]
    return Action(
        service="git",
        operation=name,
        resource=repository,
        access=known.access,
        tier=known.tier,
        confidence=Confidence.PROTOCOL if declared else Confidence.HEURISTIC,
        why=known.why,
        evidence=("git",) if declared else ("git", "no service file says that this host speaks git"),
        instance=_owner(repository),
    )


def _owner(repository: str) -> str:
    """Whose a repository is: of `github.com/acme/site` that is `acme`."""
    owner, _, name = repository.partition("/")[2].partition("/")
    return f"organisation:{owner}" if owner and name else ""


def _fetch(repository: str, *, declared: bool) -> Action:
    """A POST to a host that nobody declared may be no fetch at all: it is no read then."""
    action = _action("fetch", repository, declared=declared)
    return action if declared else replace(action, access=Access.UNKNOWN, tier=Tier.T1, why="looks like a fetch")


def _unreadable(repository: str, why: str) -> Action:
    return replace(_action("unreadable", repository, declared=False), why=why, evidence=("git",))


def _push(request: Request, repository: str, *, declared: bool) -> tuple[Action, ...]:
    body = _start(request)
    commands = body if isinstance(body, Undecodable) else _commands(body)
    if isinstance(commands, Undecodable):
        return (_unreadable(repository, commands.why),)
    found, pack = commands
    if not found:
        # git probes with an empty push before it sends a large one (remote-curl.c, probe_rpc)
        return (_action("discover-push", repository, declared=declared),)
    parents = _parents(pack, len(found[0].new)) if any(c.kind == "update" for c in found) else {}
    return tuple(_pushed(command, repository, parents, declared=declared) for command in found)


def _start(request: Request) -> bytes | Undecodable:
    """As much of the push as is looked at."""
    codings = [value for name, value in request.headers if name == "content-encoding"]
    if len(codings) > 1:
        return Undecodable("The push has more than one Content-Encoding.")
    if codings and codings[0].lower() not in {"gzip", "identity"}:
        return Undecodable("The push has a Content-Encoding that git servers don't undo: they would read it as it stands.")
    match request.body:
        case WholeBody(content):
            return decode_head(content, codings[0] if codings else None, limit=PUSH_READ)
        case UnreadBody(head=head):
            return decode_head(head, codings[0] if codings else None, limit=PUSH_READ)
        case SpooledBody():
            return Undecodable("The push is too large to be read.")
        case NoBody():
            return Undecodable("The push has no body.")


def _commands(body: bytes) -> tuple[list[_Command], bytes] | Undecodable:
    """Read the commands up to their flush, and give what follows (gitprotocol-pack, "Reference Update Request")."""
    found: list[_Command] = []
    at = 0
    while line := packet(body, at):
        at += 4 + len(line.content)
        if line.flush:
            return found, body[at:]
        if line.content.startswith(b"shallow "):
            continue
        command = _command(line.content.partition(b"\0")[0])
        if command is None or len(found) >= MOST_REFS:
            return Undecodable("The push has a line that is no ref update, or too many.")
        found.append(command)
    return Undecodable("The push ends before its list of refs does.")


def _command(line: bytes) -> _Command | None:
    match = _COMMAND.fullmatch(line)
    if match is None or len(match[1]) != len(match[2]):
        return None
    try:
        ref = match[3].decode("utf-8")
    except UnicodeDecodeError:
        return None
    return None if _REFUSED_IN_REF.search(ref) else _Command(match[1].decode(), match[2].decode(), ref)


def _pushed(command: _Command, repository: str, parents: Mapping[str, tuple[str, ...]], *, declared: bool) -> Action:
    action = _action("push", repository, declared=declared)
    params: dict[str, Param] = {"ref": command.ref, "kind": command.kind, "old": command.old, "new": command.new}
    match command.kind:
        case "delete":
            return replace(action, params=params, tier=Tier.T2, access=Access.DELETE, why="a ref is deleted")
        case "create":
            return replace(action, params=params, why="a ref is created")
        case _:
            forward = _leads_back(command.new, command.old, parents)
            return _moved(replace(action, params={**params, "forward": forward}), command, forward=forward)


def _moved(action: Action, command: _Command, *, forward: bool) -> Action:
    """Forward is no harm to a branch; a tag is what others rely on to stay."""
    evidence = (*action.evidence, "fast-forward" if forward else "not proven fast-forward")
    if command.ref.startswith(_TAGS):
        return replace(action, tier=Tier.T2, why="a tag that others rely on is moved", evidence=evidence)
    why = "the pack proves that no history is lost" if forward else "nothing proves that no history is lost"
    return replace(action, tier=Tier.T1 if forward else Tier.T2, why=why, evidence=evidence)


def _leads_back(new: str, old: str, parents: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether `old` is an ancestor of `new` by what the pack shows: ids are hashes, so what it shows can't be made up."""
    seen, waiting = {new}, [new]
    while waiting:
        for parent in parents.get(waiting.pop(), ()):
            if parent == old:
                return True
            if parent not in seen:
                seen.add(parent)
                waiting.append(parent)
    return False


def _parents(pack: bytes, digits: int) -> dict[str, tuple[str, ...]]:
    """Parents of the commits that a pack starts with, by their own ids. Stops at what is no whole commit."""
    hashed = hashlib.sha1 if digits == 40 else hashlib.sha256
    found: dict[str, tuple[str, ...]] = {}
    for content in _leading_commits(pack):
        match = _COMMIT.match(content)
        if match is not None:
            oid = hashed(b"commit %d\0" % len(content) + content).hexdigest()
            found[oid] = tuple(line[7:].decode("ascii") for line in match[1].splitlines())
    return found


def _leading_commits(pack: bytes) -> Iterator[bytes]:
    if pack[:4] != b"PACK":
        return
    at, left = 12, COMMITS_READ
    for _ in range(min(int.from_bytes(pack[8:12]), MOST_COMMITS)):
        kind, size, start = _entry(pack, at)
        left -= size
        if kind != _PACK_COMMIT or left < 0:
            return
        inflater = zlib.decompressobj()
        try:
            content = inflater.decompress(pack[start : start + size + 1024], size + 1)
        except zlib.error:
            return
        if not inflater.eof or len(content) != size:
            return
        yield content
        at = start + min(size + 1024, len(pack) - start) - len(inflater.unused_data)


def _entry(pack: bytes, at: int) -> tuple[int, int, int]:
    """Type, size and where the data starts (gitformat-pack); type 0, which is none, where the pack ends."""
    kind, size, shift = 0, 0, 0
    for offset in range(at, min(at + 10, len(pack))):
        byte = pack[offset]
        if offset == at:
            kind, size, shift = (byte >> 4) & 7, byte & 15, 4
        else:
            size |= (byte & 127) << shift
            shift += 7
        if byte < 128:
            return kind, size, offset + 1
    return 0, 0, at


def _lfs(request: Request, repository: str, *, declared: bool) -> Action:
    """git-lfs batch API: the body says whether objects go up or down."""
    if media_type(request) != "application/vnd.git-lfs+json":
        return _unreadable(repository, "The LFS request is not JSON by its Content-Type.")
    body = Arguments(request).json()
    asked = body.get("operation") if isinstance(body, dict) and not has_variants(body, _LFS) else None
    match asked:
        case "upload":
            return _action("lfs-upload", repository, declared=declared)
        case "download":
            action = _action("lfs-download", repository, declared=declared)
            return action if declared else replace(action, access=Access.UNKNOWN, tier=Tier.T1)
        case _:
            return _unreadable(repository, "The LFS request does not say whether it goes up or down.")
