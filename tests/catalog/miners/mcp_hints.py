"""Which tools of published MCP servers say of themselves that they only read: facts taken from their packages, never run.

`uv run python tests/catalog/miners/mcp_hints.py` fetches the packages anew and writes `mcp_tools.json` beside the tests.
"""

import ast
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
sys.path.append(str(HERE.parents[2] / "rules/services/mined"))

from fetch import Fetched, members, newest  # noqa: E402 - beside the builder of the catalog
from write import MiningError  # noqa: E402

# Servers that tell reads from changes: at least one tool of each kind is said to be it. Chosen by that alone, and by
# having a licence.
NPM = """
@auth0/auth0-mcp-server @browserstack/mcp-server @codefuturist/email-mcp @discourse/mcp
@dynatrace-oss/dynatrace-mcp-server @hubspot/mcp-server @infisical/mcp @j0hanz/filesystem-mcp @karakeep/mcp
@postman/postman-mcp-server @sentry/mcp-server
@softeria/ms-365-mcp-server @supabase/mcp-server-supabase @wonderwhy-er/desktop-commander airtable-mcp-server chrome-devtools-mcp
firebase-tools firecrawl-mcp hostinger-api-mcp mcp-server-kubernetes n8n-mcp
"""
PYPI = "basic-memory dbt-mcp ha-mcp workspace-mcp"

_HINT = re.compile(r"\breadOnlyHint\"?:\s*(true|false|!0|!1)\b")
_DESTROYS = re.compile(r"\bdestructiveHint\"?:\s*(true|false|!0|!1)\b")
_TEXT = re.compile(r"\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`")
_TOOL = r"[\"'`]([A-Za-z][\w.\-/]{1,80})[\"'`]"
_NAMED = re.compile(rf"(?<![\w.])\"?name\"?:\s*{_TOOL}|(?:[Tt]ool|registerAppTool)\(\s*(?:\w+,\s*)?{_TOOL}\s*,")
_KEYED = re.compile(r"(?<![\w.])([a-z]+(?:_[a-z0-9]+)+):\s*(?:[\w$.]+\()?\{")
_ALONE = re.compile(rf"export const (?:method|name|toolName) = {_TOOL}")
_FAR = 20_000
_SOURCES = r"(?!.*(?:/tests?/|__tests__|\.spec\.|\.test\.|/test-|node_modules)).*\.(?:[cm]?js|py)"


@dataclass(frozen=True, slots=True, order=True)
class Tool:
    """A tool and what its server says of it; None where it says nothing."""

    name: str
    reads: bool
    destroys: bool | None


def tools(archive: Path) -> list[Tool]:
    """All tools with a literal hint, by name; one that is said to be both is left out."""
    found: dict[str, set[Tool]] = {}
    texts = {name: content.decode("utf-8", "replace") for name, content in members(archive, _SOURCES)}
    modules = [module for name, text in texts.items() if name.endswith(".py") and (module := _parsed(text))]
    makers = {name: hints for module in modules for name, hints in _makers(module)}
    for module in modules:
        for tool in _python(module, makers):
            found.setdefault(tool.name, set()).add(tool)
    for name, text in texts.items():
        for tool in () if name.endswith(".py") else _javascript(text):
            found.setdefault(tool.name, set()).add(tool)
    return sorted(next(iter(said)) for said in found.values() if len(said) == 1)


def _javascript(text: str) -> Iterator[Tool]:
    hints = list(_HINT.finditer(text))
    for hint in hints:
        name = _javascript_name(text, hint.start()) or (_alone(text) if len(hints) == 1 else None)
        if name:
            around = text[text.rfind("{", 0, hint.start()) : text.find("}", hint.end())]
            destroys = _DESTROYS.search(around)
            yield Tool(name, _true(hint[1]), _true(destroys[1]) if destroys else None)


def _true(literal: str) -> bool:
    return literal in {"true", "!0"}


def _alone(text: str) -> str | None:
    named = _ALONE.search(text)
    return named[1] if named else None


def _javascript_name(text: str, hint: int) -> str | None:
    """The nearest name in front whose object or call is still open at the hint."""
    before = text[max(0, hint - _FAR) : hint]
    for pattern in (_NAMED, _KEYED):
        for match in reversed(list(pattern.finditer(before))):
            if _open(before[match.end() :], 1 if pattern is _NAMED else 0):
                return next(group for group in match.groups() if group)
    return None


def _open(between: str, deep: int) -> bool:
    depth = 0
    for sign in re.findall(r"[{}]", _TEXT.sub("", between)):
        depth += 1 if sign == "{" else -1
        if depth < 0:
            return False
    return depth >= deep


def _parsed(text: str) -> ast.Module | None:
    try:
        return ast.parse(text)
    except SyntaxError:
        return None


def _makers(module: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """Functions of the package that give the same hints each time: `def read_only(title): return {"readOnlyHint": True, …}`."""
    for node in module.body:
        if isinstance(node, ast.FunctionDef):
            given = next((said.value for said in node.body if isinstance(said, ast.Return) and said.value), None)
            if given is not None and _hint(given, *_READS) is not None:
                yield node.name, given


def _python(module: ast.Module, makers: dict[str, ast.expr]) -> Iterator[Tool]:
    shared = {
        target.id: node.value
        for node in module.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    known = {**makers, **shared}
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for decorator in node.decorator_list:
                if isinstance(decorator, ast.Call):
                    yield from _called(decorator, node.name, known)
        elif isinstance(node, ast.Call):
            yield from _called(node, "", known)


def _called(call: ast.Call, function: str, known: dict[str, ast.expr]) -> Iterator[Tool]:
    by_name = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
    hints = by_name.get("annotations", call if function else None)
    if isinstance(hints, ast.Name):
        hints = known.get(hints.id)
    elif isinstance(hints, ast.Call) and isinstance(hints.func, ast.Name) and hints.func.id in known:
        hints = known[hints.func.id]
    reads = _hint(hints, *_READS)
    name = _text(by_name.get("name")) or next((said for argument in call.args if (said := _text(argument))), None) or function
    if reads is not None and name and re.fullmatch(r"[A-Za-z][\w.\-/]{1,80}", name):
        yield Tool(name, reads, _hint(hints, "destructiveHint", "destructive_hint"))


def _text(value: ast.expr | None) -> str | None:
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else None


_READS = ("readOnlyHint", "read_only_hint")


def _hint(hints: ast.expr | None, *names: str) -> bool | None:
    found: list[tuple[str | None, ast.expr]] = []
    match hints:
        case ast.Call(keywords=keywords):
            found = [(keyword.arg, keyword.value) for keyword in keywords]
        case ast.Dict(keys=keys, values=values):
            found = [(_text(key), value) for key, value in zip(keys, values, strict=True)]
        case _:
            return None
    said = next((value for name, value in found if name in names), None)
    return said.value if isinstance(said, ast.Constant) and isinstance(said.value, bool) else None


def _licence(archive: Path) -> str:
    for name, content in members(archive, r"package/package\.json|[^/]+\.dist-info/METADATA"):
        if name.endswith("package.json"):
            return str(json.loads(content).get("license", "none given"))
        said = re.search(r"(?m)^License(?:-Expression)?: (.{1,60})$", content.decode("utf-8", "replace"))
        classified = re.search(r"(?m)^Classifier: License :: (?:OSI Approved :: )?(.+)$", content.decode("utf-8", "replace"))
        return said[1].strip() if said else classified[1] if classified else "none given"
    return "none given"


def _mined(fetched: Fetched) -> dict[str, object]:
    pin = fetched.pin
    return {
        "package": pin.package,
        "registry": pin.registry,
        "version": pin.version,
        "sha256": pin.sha256,
        "licence": _licence(fetched.archive),
        "tools": [[tool.name, tool.reads, tool.destroys] for tool in tools(fetched.archive)],
    }


def main() -> None:
    servers = []
    for registry, packages in (("npm", NPM), ("pypi", PYPI)):
        for package in packages.split():
            try:
                servers.append(_mined(newest(package, registry)))
            except MiningError as error:
                print(f"{package}: {error}", file=sys.stderr)
    lines = ",\n".join(json.dumps(server) for server in servers)
    (HERE.parent / "mcp_tools.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
