"""GitHub: its own description of its REST API, and the fields of the roots of its GraphQL schema."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from graphql import GraphQLObjectType, GraphQLSchema, build_schema

from fetch import member
from miners.curated import curated
from write import Mined, Part

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_SPEC = "package/generated/api.github.com.json"
_METHODS = ("get", "post", "put", "patch", "delete")
_SLASHED = re.compile(r"\{(path|ref|basehead|branch|dir)\}(?=/|$)")
"""Names of files and refs: GitHub takes them with their slashes, which OpenAPI has no word for."""

_REST = curated(
    {
        "s": """
            actions/create-*token* apps/create-installation-access-token secret-scanning/* migrations/download-*
            orgs/*credential* actions/generate-runner-jitconfig* codespaces/export-for-* apps/*token* orgs/get-audit-log
            users/list-emails-*""",
        "m": "sponsors/* marketplace/* billing/set-* copilot/add-*",
        "i": """
            repos/delete orgs/delete repos/transfer teams/delete* migrations/delete-* packages/delete-* gists/delete
            repos/delete-release git/delete-ref repos/delete-deployment codespaces/delete-*""",
        "u": """
            orgs/block-user actions/disable-workflow repos/disable-* code-security/delete-* apps/suspend-installation
            secret-scanning/update-alert repos/delete-branch-protection repos/delete-webhook orgs/delete-webhook""",
        "p": """
            repos/add-collaborator orgs/set-membership-for-user teams/add-or-update-* repos/update-branch-protection
            repos/create-deploy-key orgs/create-invitation users/create-*key* repos/set-*access-restrictions orgs/add-*""",
        "e": "repos/create-webhook orgs/create-webhook repos/update-webhook* orgs/update-webhook* migrations/start-import",
        "b": "code-scanning/delete-* actions/delete-actions-cache-by-key activity/mark-*",
    }
)
_FIELDS = curated(
    {
        "i": "graphql.mutation.delete* graphql.mutation.transfer*",
        "p": """
            graphql.mutation.add*Collaborator* graphql.mutation.grant* graphql.mutation.*BranchProtectionRule
            graphql.mutation.*Ruleset*""",
        "u": "graphql.mutation.block* graphql.mutation.archiveRepository graphql.mutation.minimizeComment graphql.mutation.lock*",
        "m": "graphql.mutation.*Sponsor*",
    }
)


def rest(archive: Path) -> Iterable[Part]:
    said = json.loads(member(archive, _SPEC))
    operations = tuple(
        _operation(method, path, one)
        for path, item in sorted(said["paths"].items())
        for method, one in sorted(item.items())
        if method in _METHODS
    )
    yield Part(service="github", operations=operations)


def _operation(method: str, path: str, said: dict[str, Any]) -> Mined:
    name = said["operationId"]
    paged = any(str(one.get("$ref", "")).endswith("/per-page") for one in said.get("parameters", ()))
    params = ("limit int query.per_page",) if paged else ()
    return Mined(name=name, method=method.upper(), template=_SLASHED.sub(r"{\1+}", path), marks=_REST(name), params=params)


def graphql(archive: Path) -> Iterable[Part]:
    """Fields of a schema have no route: the document in the body says which are meant."""
    schema = build_schema(member(archive, "package/schema.graphql").decode(), assume_valid=True)
    yield Part(service="github", part="graphql", operations=tuple(_fields(schema)))


def _fields(schema: GraphQLSchema) -> Iterator[Mined]:
    for kind, root in (("query", schema.query_type), ("mutation", schema.mutation_type)):
        if isinstance(root, GraphQLObjectType):
            for field in sorted(root.fields):
                name = f"graphql.{kind}.{field}"
                yield Mined(name=name, level="r" if kind == "query" else "", marks=_FIELDS(name))
