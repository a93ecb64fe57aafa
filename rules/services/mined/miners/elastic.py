"""Elasticsearch and OpenSearch: the endpoints of their Python clients, with every path that an endpoint has."""

from __future__ import annotations

import ast
import re
from itertools import combinations
from typing import TYPE_CHECKING

from fetch import members
from miners.curated import curated
from miners.python_source import Function, calls, functions, keyword, template, text
from write import Mined, Part, first_named

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_MARKS = curated(
    {
        "s": """
            security.create_api_key security.get_token security.get_service_credentials security.grant_api_key
            security.get_api_key security.create_service_token security.get_user security.get_certificates
            security.*authtoken* security.get_users""",
        "b": "delete_by_query update_by_query bulk reindex *.delete_all_* msearch",
        "i": """
            indices.delete indices.delete_data_stream snapshot.delete delete_by_query
            dangling_indices.delete_dangling_index snapshot.delete_repository indices.delete_index_template
            transform.delete_transform ml.delete_datafeed""",
        "u": """
            indices.close ilm.stop slm.stop watcher.stop shutdown.put_node nodes.shutdown security.disable_user
            watcher.deactivate_watch indices.add_block xpack.* cluster.reroute cluster.put_settings""",
        "p": "security.put_* security.create_* security.update_* security.patch_* security.change_* security.add_*",
        "e": "reindex watcher.* snapshot.create_repository connector.* notifications.* alerting.* indices.put_settings",
    }
)
_VARIABLE = re.compile(r"\{\w+\}")
_BY_GET_TOO = {
    *("search", "msearch", "count", "scroll", "search_template", "msearch_template", "explain", "field_caps", "rank_eval"),
    *("render_search_template", "terms_enum", "mget", "indices.analyze", "indices.validate_query"),
}
"""What only reads, and is asked by GET with a body as well as by POST: so their references write it."""
_SQL = ("statement string json.query",)
_PARAMS = {
    "sql.query": _SQL,
    "sql.translate": _SQL,
    "esql.query": _SQL,
    "esql.async_query": _SQL,
    "ppl.query": _SQL,
    "search": ("limit int query.size",),
    "delete_by_query": ("limit int query.max_docs",),
}


def elasticsearch(archive: Path) -> Iterable[Part]:
    found: set[tuple[str, str, str]] = set()
    for _, source in members(archive, r"elasticsearch/_sync/client/\w+\.py"):
        for _, function in functions(source):
            paths = set(_assigned(function, "__path"))
            for called, call in calls(function):
                name = text(keyword(call, "endpoint_id")) if called == "perform_request" else None
                methods = {text(call.args[0])} if name and text(call.args[0]) else set(_assigned(function, "__method"))
                found |= {(name, method, path) for path in paths for method in methods if name and method}
    yield _part("elasticsearch", found)


def _assigned(function: Function, name: str) -> Iterator[str]:
    for node in ast.walk(function):
        match node:
            case ast.Assign(targets=[ast.Name(id=target)], value=value) if target == name:
                if (said := template(value)) is not None:
                    yield said
            case ast.AnnAssign(target=ast.Name(id=target), value=ast.expr() as value) if target == name:
                if (said := template(value)) is not None:
                    yield said


def opensearch(archive: Path) -> Iterable[Part]:
    found: set[tuple[str, str, str]] = set()
    for file, source in members(archive, r"opensearchpy/(?:client|plugins)/\w+\.py"):
        module = file.rpartition("/")[2].removesuffix(".py")
        for _, function in functions(source):
            name = function.name if module == "__init__" else f"{module}.{function.name}"
            for called, call in calls(function):
                if called == "perform_request" and len(call.args) > 1:
                    found |= {
                        (name, method, path) for method in _methods(call.args[0]) for path in _paths(call.args[1], function)
                    }
    yield _part("opensearch", found)


def _methods(node: ast.expr) -> Iterator[str]:
    """Give methods: one, or `"POST" if id in SKIP_IN_PATH else "PUT"`."""
    yield from (
        one.value
        for one in ast.walk(node)
        if isinstance(one, ast.Constant) and isinstance(one.value, str) and one.value.isupper()
    )


def _paths(node: ast.expr, function: Function) -> Iterator[str]:
    match node:
        case ast.Constant(value=str(said)):
            yield said
        case ast.Name(id=name):
            for one in ast.walk(function):
                if isinstance(one, ast.Assign) and isinstance(one.targets[0], ast.Name) and one.targets[0].id == name:
                    yield from _paths(one.value, function)
        case ast.Call(func=ast.Name(id="_make_path"), args=parts):
            yield from _made(parts, _required(function))
        case _:
            pass


def _required(function: Function) -> set[str]:
    given = function.args
    optional = {one.arg for one, value in zip(given.kwonlyargs, given.kw_defaults, strict=True) if value is not None}
    return {one.arg for one in given.kwonlyargs} - optional


def _made(parts: list[ast.expr], required: set[str]) -> Iterator[str]:
    """Give the paths of `_make_path(index, "_search")`: what is optional is left out where it is not given."""
    words = [text(part) or (f"{{{part.id}}}" if isinstance(part, ast.Name) else "{value}") for part in parts]
    free = [at for at, word in enumerate(words) if word.startswith("{") and word[1:-1] not in required]
    for count in range(len(free) + 1):
        for left_out in combinations(free, count):
            yield "/" + "/".join(word for at, word in enumerate(words) if at not in left_out)


def _also(found: set[tuple[str, str, str]]) -> Iterator[tuple[str, str, str]]:
    """Give the ways to ask that a client leaves out: it has one method for each path, where the server takes two."""
    taken = {(method, _VARIABLE.sub("{}", path)) for _, method, path in found}
    for name, method, path in found:
        other = "POST" if method == "PUT" else "GET" if method == "POST" and name in _BY_GET_TOO else None
        if other and (other, _VARIABLE.sub("{}", path)) not in taken:
            yield name, other, path


def _part(service: str, found: set[tuple[str, str, str]]) -> Part:
    operations = (
        Mined(name=name, method=method, template=path, marks=_MARKS(name), params=_PARAMS.get(name, ()))
        for name, method, path in sorted(found | set(_also(found)))
    )
    return Part(service=service, operations=first_named(operations))
