"""Alarms and dashboard ask for figures that are exported, and every alarm leads to its page of the runbook."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.test import Client

from chainpay.operation import metrics
from tests.operation.conftest import repository

DOCS = repository() / "docs"
# PromQL: names of figures, not functions, labels or words.
_NAME = re.compile(r"\bchainpay_[a-z_]+\b")
_SUFFIX = re.compile(r"_(bucket|sum|count)$")


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((DOCS / "operation/alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((DOCS / "operation/dashboard.json").read_text())["panels"]
    return found


def expressions() -> list[str]:
    return [rule["expr"] for rule in rules()] + [
        target["expr"] for panel in panels() for target in panel.get("targets", [])
    ]


def names(text: str) -> set[str]:
    return {_SUFFIX.sub("", name) for name in _NAME.findall(text)}


@pytest.fixture
def exported(client: Client, transactional_db: None) -> dict[str, str]:
    """Every figure and its type."""
    client.get("/healthz")
    metrics.database.forget()
    text = client.get("/metrics").content.decode()
    return {name: kind for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE) if "chainpay" in name}


def test_each_figure_asked_for_is_exported(exported: dict[str, str]) -> None:
    assert len(exported) > 30
    for expression in expressions():
        assert names(expression) <= set(exported), expression


def test_each_figure_that_is_exported_is_described_and_no_other(exported: dict[str, str]) -> None:
    assert names((DOCS / "operation.md").read_text()) == set(exported)


def test_rates_are_taken_of_counters_alone(exported: dict[str, str]) -> None:
    for expression in expressions():
        for name in re.findall(r"(?:rate|increase)\((chainpay_[a-z_]+)", expression):
            assert exported[_SUFFIX.sub("", name)] in {"counter", "histogram"}, expression


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_an_alarm_says_what_is_wrong_and_where_to_read_on(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["annotations"]["summary"]
    file, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert anchor in anchors(repository() / file), rule["annotations"]["runbook"]


def test_alarms_are_named_once() -> None:
    found = [rule["alert"] for rule in rules()]
    assert len(found) == len(set(found)) > 15


@pytest.mark.parametrize("expression", expressions())
def test_brackets_and_quotes_of_an_expression_are_whole(expression: str) -> None:
    without_texts = re.sub(r'"[^"]*"', "", expression)
    assert '"' not in without_texts
    open_ones: list[str] = []
    for sign in without_texts:
        if sign in "([{":
            open_ones.append({"(": ")", "[": "]", "{": "}"}[sign])
        elif sign in ")]}":
            assert open_ones.pop() == sign, expression
    assert open_ones == []


def test_panels_have_places_of_their_own() -> None:
    places = [tuple(panel["gridPos"].values()) for panel in panels()]
    assert len(places) == len(set(places))
    assert len({panel["id"] for panel in panels()}) == len(panels())
    for panel in panels():
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24


def anchors(file: Path) -> set[str]:
    """As GitHub makes them: lower case, spaces as hyphens, other signs left out."""
    headings = re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
