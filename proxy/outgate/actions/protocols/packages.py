"""Package indexes, as their clients speak to them: what is published, taken back or only fetched, whoever runs the index."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from outgate.actions.action import Access, Action, Confidence, Tier
from outgate.actions.arguments import Arguments
from outgate.actions.operation import Operation
from outgate.actions.paths import plainest, readable
from outgate.actions.protocols.guess import guessed
from outgate.intake.bodies import Undecodable
from outgate.intake.media import media_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from outgate.actions.action import Param
    from outgate.actions.vocabulary import Kind
    from outgate.intake.request import Request

_SERVICE = "packages"
_PARAMS: Mapping[str, Kind] = {"package": "string", "version": "string"}

type _Said = tuple[Access, Tier, str]

_PUBLISHED: _Said = (Access.PUBLISH, Tier.T3, "everybody who uses the index can install it from now on")
_REPLACED: _Said = (Access.PUBLISH, Tier.T2, "what others install from now on is another one")
_GONE: _Said = (Access.DELETE, Tier.T3, "what others depend on is gone")
_OWNERS: _Said = (Access.ADMIN, Tier.T2, "who may publish it changes")
_CREDENTIAL: _Said = (Access.AUTH, Tier.T2, "credentials are handed out or taken back")
_ASKED: _Said = (Access.READ, Tier.T0, "asks, and changes nothing")


@dataclass(frozen=True, slots=True)
class _Rule:
    """What a method and a path are. `sure`: no other kind of server has such paths; else only a declared index is believed."""

    operation: str
    methods: frozenset[str]
    path: re.Pattern[str]
    said: _Said
    sure: bool


def _rule(operation: str, asked: str, said: _Said, *, sure: bool = True) -> _Rule:
    methods, _, path = asked.partition(" ")
    return _Rule(operation, frozenset(methods.split("|")), re.compile(path), said, sure)


_PACKAGE = r"(?P<package>[A-Za-z0-9][A-Za-z0-9._-]*)"
_SCOPED = r"(?P<package>@[a-z0-9][a-z0-9._~-]*(?:/|%2[fF])[a-z0-9][a-z0-9._~-]*|[a-z0-9][a-z0-9._~-]*)"
_VERSION = r"(?P<version>[A-Za-z0-9][A-Za-z0-9._+-]*)"
_BELOW = r"(?:/[^/]+)*?"
"""An index may stand below some path: `/artifactory/api/npm/npm-local/`."""
_CRATE, _GEM, _NPM = rf"{_BELOW}/api/v1/crates/{_PACKAGE}", rf"{_BELOW}/api/v1/gems", rf"{_BELOW}/-"
_SUM = r"(?:\.(?:sha1|sha256|sha512|md5|asc))?"
_LONGEST = 1024
"""Characters of a path that a client of an index asks for; a longer one takes too long to look at in so many ways."""
_RULES = (
    _rule("crates.publish", rf"PUT {_BELOW}/api/v1/crates/new", _PUBLISHED),
    _rule("crates.yank", rf"DELETE {_CRATE}/{_VERSION}/yank", _GONE),
    _rule("crates.unyank", rf"PUT {_CRATE}/{_VERSION}/unyank", _REPLACED),
    _rule("crates.owners", rf"PUT|DELETE {_CRATE}/owners", _OWNERS),
    _rule("rubygems.publish", rf"POST {_GEM}", _PUBLISHED),
    _rule("rubygems.yank", rf"DELETE {_GEM}/yank", _GONE),
    _rule("rubygems.owners", rf"POST|DELETE|PATCH|PUT {_GEM}/{_PACKAGE}/owners(?:\.json|\.yaml)?", _OWNERS),
    _rule("nuget.publish", rf"PUT {_BELOW}/api/v2/(?:symbol)?package", _PUBLISHED),
    _rule("nuget.unlist", rf"DELETE {_BELOW}/(?:api/v2/package|package)/{_PACKAGE}/{_VERSION}", _GONE),
    _rule("nuget.relist", rf"POST {_BELOW}/api/v2/package/{_PACKAGE}/{_VERSION}", _REPLACED),
    _rule("maven.publish", rf"PUT .*\.(?:pom|jar|war|aar|module|klib){_SUM}", _PUBLISHED),
    _rule("maven.metadata", rf"PUT .*/maven-metadata\.xml{_SUM}", _REPLACED),
    _rule("npm.dist-tag", rf"PUT|POST|DELETE {_NPM}/package/{_SCOPED}/dist-tags(?:/[^/]+)?", _REPLACED),
    _rule("npm.unpublish", rf"PUT|DELETE {_BELOW}/{_SCOPED}(?:/-/[^/]+)?/-rev/[^/]+", _GONE),
    _rule("npm.publish", rf"PUT {_BELOW}/{_SCOPED}", _PUBLISHED, sure=False),
    _rule("npm.login", rf"PUT|POST {_NPM}/(?:user/[^/]+|v1/login)", _CREDENTIAL),
    _rule("npm.tokens", rf"POST|DELETE {_NPM}/npm/v1/tokens(?:/.*)?", _CREDENTIAL),
    _rule("npm.audit", rf"POST {_NPM}/npm/v1/security/(?:audits(?:/quick)?|advisories/bulk)", _ASKED),
    _rule("fetch", r"GET|HEAD .*", _ASKED, sure=False),
)
_PYPI: Mapping[str, tuple[str, _Said]] = {
    "file_upload": ("pypi.upload", _PUBLISHED),
    "doc_upload": ("pypi.upload-docs", _REPLACED),
    "submit": ("pypi.register", _REPLACED),
    "verify": ("pypi.verify", _ASKED),
    "remove_pkg": ("pypi.remove", _GONE),
}
"""What `:action` says in a form that is posted to an index (PyPI's legacy API); what it does not know is unreadable."""
_UNREADABLE: _Said = (Access.UNKNOWN, Tier.T2, "the form does not say, once, what it is for")
_FIELDS = (("package", "name"), ("version", "version"))
OPERATIONS = tuple(
    Operation(service=_SERVICE, operation=name, access=access, tier=tier, why=why, params=_PARAMS)
    for name, (access, tier, why) in (
        *((rule.operation, rule.said) for rule in _RULES),
        *_PYPI.values(),
        ("unreadable", _UNREADABLE),
    )
)


def may_be(request: Request) -> bool:
    """Whether a request to a host that nobody declared looks like one to an index."""
    rule = _rule_of(request)
    return (rule is not None and rule.sure) or (_may_be_upload(request) and _may_be_index(request.path))


def wants_body(request: Request) -> bool:
    """Whether the body says what is done: in a form for a Python index it does."""
    return _may_be_upload(request)


def identify(request: Request, *, declared: bool) -> tuple[Action, ...]:
    """Give the action of a request to an index; none where it is no client's."""
    rule = _rule_of(request)
    if rule is not None and (declared or rule.sure):
        found = _made(request, rule.operation, rule.said, _named(request, rule))
    elif _may_be_upload(request):
        said = _posted(request, declared=declared)
        if said is None:
            return ()
        found = said
    else:
        return ()
    return (found if declared else guessed(found, request, "for an index of packages"),)


def _rule_of(request: Request) -> _Rule | None:
    if len(request.path) > _LONGEST:
        return None
    path = plainest(request.path)
    return next((rule for rule in _RULES if request.method in rule.methods and rule.path.fullmatch(path)), None)


def _may_be_upload(request: Request) -> bool:
    media = media_of(request.headers)
    return request.method == "POST" and media is not None and media.kind == "multipart/form-data"


def _may_be_index(path: str) -> bool:
    """Forms are posted everywhere; to an index with a slash at the end, or where its name is said."""
    return path.endswith("/") or "pypi" in path


def _posted(request: Request, *, declared: bool) -> Action | None:
    """What `:action` says; nothing where a host that nobody declared gets a form that has none."""
    fields = Arguments(request).form()
    if isinstance(fields, Undecodable) or Arguments(request).unread:
        return _unreadable(request) if declared else None
    said = {value for name, value in fields if name == ":action"}
    known = _PYPI.get(next(iter(said)) or "") if len(said) == 1 else None
    if known is None:
        return _unreadable(request) if said else None
    named = {name: _one(value for key, value in fields if key == field) for name, field in _FIELDS}
    return _made(request, *known, {name: value for name, value in named.items() if value})


def _one(values: Iterable[str | None]) -> str:
    """The one value that is said; empty where there are several, or a file."""
    found = {*values}
    return next(iter(found)) or "" if len(found) == 1 else ""


def _named(request: Request, rule: _Rule) -> dict[str, Param]:
    match = rule.path.fullmatch(plainest(request.path))
    groups = match.groupdict() if match is not None else {}
    return {name: readable(value) for name, value in groups.items() if value}


def _unreadable(request: Request) -> Action:
    return _made(request, "unreadable", _UNREADABLE, {})


def _made(request: Request, operation: str, said: _Said, params: Mapping[str, Param]) -> Action:
    access, tier, why = said
    return Action(
        service=_SERVICE,
        operation=operation,
        resource=str(params.get("package", "")) or readable(request.path[1:]),
        access=access,
        tier=tier,
        params=params,
        confidence=Confidence.UNKNOWN if operation == "unreadable" else Confidence.PROTOCOL,
        why=why,
        evidence=(_SERVICE,),
        instance=f"index:{request.authority}",
    )
