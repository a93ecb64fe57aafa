"""Load: policy files as text to one policy, or every problem in all of them. Reads no files itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from outgate.digest import canonical, sha256
from outgate.document import parse
from outgate.errors import ConfigError, Problem
from outgate.policy import load_rule, load_tables
from outgate.policy.conditions import language
from outgate.policy.effect import MODES, Mode, Phase
from outgate.policy.form import FORM, RULE
from outgate.policy.names import MISSING, NAMES, PARAM_KINDS, RESPONSE_NAMES, STREAM_NAMES, Kind, Name, during, param
from outgate.policy.part import Part
from outgate.policy.rule import Policy
from outgate.policy.shapes import Named, problems

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from zoneinfo import ZoneInfo

    from outgate.actions.catalog import Catalog
    from outgate.policy.hours import Hours
    from outgate.policy.rule import Otherwise, Rule


def load(sources: Iterable[tuple[str, str]], catalog: Catalog, *, mode: Mode | None = None) -> Policy:
    """Read files, given as (source, text), into one policy: the union of their rules, the strictest of what they say otherwise.

    `mode` takes the place of every file's own ceiling. Raises ConfigError with everything that is wrong in any of them.
    """
    loader = _Loader(catalog=catalog)
    for source, text in sources:
        loader.read(source, text)
    policy = loader.policy()
    return policy if mode is None else policy.with_mode(mode)


@dataclass(slots=True, kw_only=True)
class _Loader:
    catalog: Catalog
    found: list[Problem] = field(default_factory=list)
    files: list[Part] = field(default_factory=list)

    def read(self, source: str, text: str) -> None:
        try:
            document = parse(text, source)
        except ConfigError as error:
            self.found.extend(error.problems)
            return
        self.found.extend(problems(FORM, document))
        self.files.append(Part(document=document, text=text, found=self.found))

    def policy(self) -> Policy:
        zones = {id(file): load_tables.zone(file) for file in self.files}
        hours = self._merged("hours", lambda part, file: load_tables.hours(part, zones[id(file)]))
        approvers = self._merged("approvers", lambda part, _: load_tables.approvers(part))
        mocks = self._merged("mocks", lambda part, _: load_tables.mock(part, self.catalog.services()))
        rules = self._rules(hours, zones)
        otherwise = self._otherwise()
        self._require_words()
        if self.found:
            raise ConfigError(*sorted(set(self.found)))
        return Policy(
            name="+".join(dict.fromkeys(file.at("policy").value for file in self.files)),
            digest=_digest(self.files),
            mode=max(_mode(file) for file in self.files),
            rules=rules,
            otherwise=otherwise,
            approvers=approvers,
            hours=hours,
            mocks=mocks,
        )

    def _rules(self, hours: Mapping[str, Hours], zones: Mapping[int, ZoneInfo | None]) -> tuple[Rule, ...]:
        languages = self._languages(hours)
        approvers = self._said("approvers")
        rules: dict[str, Rule] = {}
        for file in self.files:
            around = load_rule.Surroundings(
                catalog=self.catalog,
                languages=languages,
                approvers=approvers,
                ceiling=_mode(file),
                zone=zones[id(file)],
            )
            for part in self._written_rules(file):
                if problems(RULE, part.document, part.path):
                    load_rule.check(part, around)
                    continue
                rule = load_rule.rule(part, around)
                if rule.id in rules:
                    part.at("id").say(f"rule '{rule.id}' is already at {_where(rules[rule.id])}, give this one another id")
                rules.setdefault(rule.id, rule)
        return tuple(rules.values())

    def _otherwise(self) -> tuple[Otherwise, ...]:
        approvers = self._said("approvers")
        parts = [(file.at("otherwise"), _mode(file)) for file in self.files]
        return tuple(
            load_tables.otherwise(part, approvers, mode)
            for part, mode in parts
            if part.value is not None and not problems(FORM.keys["otherwise"], part.document, part.path)
        )

    def _languages(self, hours: Mapping[str, Hours]) -> dict[Phase, load_rule.Languages]:
        """Those of each phase that some rule has; they know only what this policy names: with much it takes long to compile."""
        always = {
            **NAMES,
            **{f"during.{name}": Name(Kind.BOOL, lambda *_: MISSING) for name in self._said("hours")},
            **{f"during.{name}": during(of) for name, of in hours.items()},
        }
        rules = [part for file in self.files for part in self._written_rules(file)]
        said = frozenset[str]().union(*map(load_rule.said_params, rules))
        kinds = {name: kind for name, kind in self.catalog.params().items() if name in said}
        typed = {f"params.{name}": param(name, PARAM_KINDS[kind]) for name, kind in kinds.items()}
        free = {f"params.{name}": param(name, Kind.ANY) for name in said}
        made = {Phase.REQUEST: load_rule.Languages(typed=language({**always, **typed}), free=language({**always, **free}))}
        for phase, names in ((Phase.RESPONSE, RESPONSE_NAMES), (Phase.STREAM, STREAM_NAMES)):
            if any(part.at("phase").value == phase for part in rules):
                known = {**always, **names}
                made[phase] = load_rule.Languages(typed=language({**known, **typed}), free=language({**known, **free}))
        return made

    def _merged[T](self, key: str, build: Callable[[Part, Part], T | None]) -> dict[str, T]:
        """One table of all files. A name may be said twice if it is said alike."""
        of = FORM.keys[key]
        made: dict[str, T] = {}
        for file in self.files:
            for part in file.at(key).entries():
                sound = isinstance(of, Named) and isinstance(part.value, dict) and not problems(of.of, part.document, part.path)
                built = build(part, file) if sound else None
                if built is not None and made.setdefault(part.name, built) != built:
                    part.say(f"'{part.name}' means something else in another file, give it another name", key=True)
        return made

    def _said(self, key: str) -> frozenset[str]:
        """Names that stand in a table of some file, well-formed or not: one mistake is reported once."""
        return frozenset(part.name for file in self.files for part in file.at(key).entries())

    def _written_rules(self, file: Part) -> Iterator[Part]:
        parts = file.at("rules").entries() if isinstance(file.at("rules").value, list) else ()
        return (part for part in parts if isinstance(part.value, dict))

    def _require_words(self) -> None:
        """A policy that is silent is no permission."""
        speaking = [file for file in self.files if file.at("otherwise").value is not None]
        if not self.files:
            if not self.found:
                self.found.append(Problem(source="policy", message="no policy was given, name a file"))
        elif not speaking:
            self.files[0].say("nothing says what holds where no rule allows, add otherwise: block, or a table by tier")
        elif all(_mode(file) is Mode.DISABLED for file in speaking):
            speaking[0].at("mode").say("a policy that is disabled decides nothing, use mode: observe to try it")


def _mode(file: Part) -> Mode:
    """What a file may do at most; one that does not say so is enforced."""
    return MODES.get(file.at("mode").value, Mode.ENFORCE)


def _where(rule: Rule) -> str:
    return f"{rule.place.source}:{rule.place.line}" if rule.place else "another place"


def _digest(files: list[Part]) -> str:
    """The content, whatever the files are called and in whichever order they came."""
    return sha256(b"\n".join(sorted(canonical(file.document.value) for file in files)))
