"""deploy/monitoring: every expression asks for series and labels that a gate shows, and every alert says what to do."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import typer
import yaml

from outgate.cli.main import app
from outgate.policy.decision import Reason
from outgate.telemetry.metrics import Metrics

HERE = Path(__file__).parents[2] / "deploy" / "monitoring"
DASHBOARD = json.loads((HERE / "grafana-dashboard.json").read_text())
RULES = [rule for group in yaml.safe_load((HERE / "alerts.yaml").read_text())["groups"] for rule in group["rules"]]
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]]
EXPRESSIONS = [*QUERIES, *(rule["expr"] for rule in RULES)]
VARIABLES = [variable["query"]["query"] for variable in DASHBOARD["templating"]["list"] if variable["type"] == "query"]

SCRAPED = {"instance", "job"}
"""Labels that Prometheus adds."""
NO_LABELS = {"le"}
METRICS = Metrics()
FAMILIES = {name: METRICS.registry._names_to_collectors[name] for name, _ in METRICS.series()}
GROUP = typer.main.get_command(app)
PROMTOOL = shutil.which("promtool")


def series_in(expression: str) -> set[str]:
    """The series that it names, each by its family: a histogram's buckets, sums and counts are the histogram's."""
    named = set(re.findall(r"\boutgate_\w+", expression))
    return {_family(name) for name in named}


def _family(name: str) -> str:
    stem = re.sub(r"_(?:bucket|sum|count)$", "", name)
    return stem if name not in FAMILIES and stem in FAMILIES and _is_histogram(stem) else name


def _is_histogram(name: str) -> bool:
    return FAMILIES[name]._type == "histogram"


def labels_of(name: str) -> set[str]:
    if name == "outgate_build_info":
        return {"version"}
    return {*FAMILIES[name]._labelnames, *(NO_LABELS if _is_histogram(name) else ())}


def selected_in(expression: str) -> list[tuple[str, str, str]]:
    """Series, label and value of every matcher."""
    return [
        (_family(name), label, value)
        for name, matchers in re.findall(r"\b(outgate_\w+)\{([^}]*)\}", expression)
        for label, value in re.findall(r'(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"', matchers)
    ]


def grouped_in(expression: str) -> set[str]:
    return {label.strip() for labels in re.findall(r"\bby\s*\(([^)]*)\)", expression) for label in labels.split(",")}


@pytest.mark.parametrize("expression", [*EXPRESSIONS, *VARIABLES])
def test_an_expression_names_series_that_a_gate_shows(expression: str):
    named = series_in(expression)
    assert named
    assert named <= FAMILIES.keys()


@pytest.mark.parametrize("expression", [*EXPRESSIONS, *VARIABLES])
def test_an_expression_selects_by_labels_that_its_series_have(expression: str):
    wrong = [(name, label) for name, label, _ in selected_in(expression) if label not in labels_of(name) | SCRAPED]
    assert wrong == []


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_groups_by_labels_that_its_series_have(expression: str):
    has = set().union(SCRAPED, *map(labels_of, series_in(expression)))
    assert grouped_in(expression) <= has


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_histogram_is_asked_by_its_buckets_and_a_quantile_keeps_them(expression: str):
    plain = {name for name in re.findall(r"\boutgate_\w+", expression) if name in FAMILIES}
    assert not any(_is_histogram(name) for name in plain)
    if "histogram_quantile" in expression:
        assert "le" in grouped_in(expression)


def test_a_reason_that_is_asked_for_is_one_that_the_gate_gives():
    asked = {value for expression in EXPRESSIONS for _, label, value in selected_in(expression) if label == "reason"}
    assert asked <= {reason.value for reason in Reason}
    assert asked


def test_every_series_is_on_the_dashboard():
    shown = set().union(*map(series_in, QUERIES))
    assert FAMILIES.keys() - shown == set()


def test_a_legend_names_labels_that_are_grouped_by():
    for panel in PANELS:
        for target in panel["targets"]:
            named = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            assert named <= grouped_in(target["expr"]), panel["title"]


def test_the_dashboard_asks_whichever_prometheus_is_chosen():
    (chosen,) = [variable for variable in DASHBOARD["templating"]["list"] if variable["type"] == "datasource"]
    assert (chosen["name"], chosen["query"]) == ("datasource", "prometheus")
    used = {target["datasource"]["uid"] for panel in PANELS for target in panel["targets"]} | {
        p["datasource"]["uid"] for p in PANELS
    }
    assert used == {"${datasource}"}


def test_every_panel_has_a_title_a_word_on_it_and_a_place_of_its_own():
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    assert len({(p["gridPos"]["x"], p["gridPos"]["y"]) for p in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    assert all(panel["title"] and panel["description"] for panel in PANELS)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in DASHBOARD["panels"])


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_says_what_is_wrong_and_what_to_do(rule):
    assert re.fullmatch(r"Outgate[A-Z][A-Za-z]+", rule["alert"])
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert rule["annotations"]["summary"].endswith(".")
    assert len(rule["annotations"]["description"]) > 80
    named = {label for text in rule["annotations"].values() for label in re.findall(r"\$labels\.(\w+)", text)}
    assert named <= grouped_in(rule["expr"]) | SCRAPED


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_a_command_that_an_alert_names_is_one(rule):
    for line in re.findall(r"`outgate ([a-z][^`]*)`", rule["annotations"]["description"]):
        name, *rest = line.split()
        command = GROUP.get_command(None, name)
        assert command is not None, line
        inner = getattr(command, "commands", {})
        options = {option for one in (command, *inner.values()) for parameter in one.params for option in parameter.opts}
        assert {word for word in rest if word.startswith("--")} <= options, line
        assert not (inner and rest) or rest[0] in inner, line


def test_every_alert_is_tried():
    text = (HERE / "alerts.test.yaml").read_text()
    assert [rule["alert"] for rule in RULES if rule["alert"] not in text] == []


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")
def test_promtool_agrees(tmp_path: Path):
    queries = [re.sub(r"\$__rate_interval", "5m", query) for query in QUERIES]
    rules = [{"record": f"dashboard:{n}", "expr": query} for n, query in enumerate(queries)]
    (tmp_path / "dashboard.yaml").write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    for arguments in (
        ["check", "rules", str(HERE / "alerts.yaml"), str(tmp_path / "dashboard.yaml")],
        ["test", "rules", str(HERE / "alerts.test.yaml")],
    ):
        done = subprocess.run([str(PROMTOOL), *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
