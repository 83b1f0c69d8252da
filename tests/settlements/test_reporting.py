"""The reporting views: what they show, what they hide, and that they are what the documents say."""

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from settlements import redaction
from settlements.exports.columns import Kind
from settlements.models import MilestoneSettlement
from settlements.reporting.views import VIEWS, View, statements
from tests.factories import CLAIM, MEDIUM, POD, a_user, an_intent, approve, settlement_of
from tests.settlements.conftest import Sql
from tests.settlements.lived_in import World
from tests.settlements.prompt import one, rows

ACCOUNT = "123456789012345"
IBAN = "DE89370400440532013000"
SECRETS = f"my account {ACCOUNT} and {IBAN}, key cpk_4f5a6b7c8d, Bearer abc.def, https://me:pass@host/?token=t0p5ecret"
LEAKS = (ACCOUNT, IBAN, "4f5a6b7c8d", "abc.def", "me:pass", "t0p5ecret")


class TestWhatTheyShow:
    def test_amounts_in_major_units_with_the_digits_of_their_currency(self, db: None) -> None:
        for amount, currency, digits, text in (
            ("1000.10", "USD", 2, "1000.10"), ("500", "JPY", 0, "500"), ("12.345", "KWD", 3, "12.345"),
        ):  # fmt: skip
            settlement = settlement_of(an_intent(amount=Decimal(amount), currency=currency), POD)
            (stored,) = rows(
                "SELECT scale(amount), pg_typeof(amount)::text, (SELECT sum(amount) FROM reporting.settlements "
                "WHERE payment_intent_id = %s)::text FROM reporting.settlements WHERE milestone_id = %s",
                settlement.intent_id, settlement.pk,
            )  # fmt: skip
            assert stored[:2] == (digits, "numeric")
            intent = an_intent(amount=Decimal(amount), currency=currency)
            for event in ("PICKUP_CONFIRMED", POD, CLAIM):
                settlement_of(intent, event)
            assert one(
                "SELECT sum(amount)::text FROM reporting.settlements WHERE payment_intent_id = %s", intent.pk
            ) == text  # fmt: skip

    def test_an_event_its_decision_approvers_rail_and_reference_in_one_row(self, world: World) -> None:
        (row,) = rows(
            "SELECT event_type, event_source, strategy, approvals_given, array_length(string_to_array(approvers, '; '),"
            " 1), rail, reference FROM reporting.settlements WHERE milestone_id = %s",
            world.reviewed.pk,
        )
        reference = MilestoneSettlement.objects.get(pk=world.reviewed.pk).reference
        assert row == (POD, "platform", "MANUAL_REVIEW", 2, 2, "internal_ledger", reference)

    def test_decisions_of_the_policy_and_of_officers(self, db: None) -> None:
        settlement = settlement_of(an_intent(risk=MEDIUM), CLAIM)
        officer = a_user()
        approve(settlement, officer, "released early")
        told = rows(
            "SELECT made_by, decision, officer, channel, reason = 'released early' FROM reporting.decisions "
            "WHERE milestone_id = %s ORDER BY decided_at",
            settlement.pk,
        )
        assert told == [
            ("policy", "DELAYED", None, None, False),
            ("officer", "APPROVE", officer.username, "ITEM", True),
        ]

    def test_as_many_rows_and_as_much_money_as_the_tables(self, world: World) -> None:
        for view, table in (
            ("settlements", "settlements_milestonesettlement"), ("journal", "rails_posting"),
            ("audit", "settlements_auditevent"), ("events", "settlements_shipmentevent"),
        ):  # fmt: skip
            assert one(f"SELECT count(*) FROM reporting.{view}") == one(f"SELECT count(*) FROM {table}") > 0
        assert one("SELECT count(*) FROM reporting.decisions") == one(
            "SELECT (SELECT count(*) FROM settlements_milestonesettlement)"
            " + (SELECT count(*) FROM settlements_approval)"
        )
        units = "CASE currency WHEN 'JPY' THEN 1 WHEN 'KWD' THEN 0.001 ELSE 0.01 END"
        for view, table in (("settlements", "settlements_milestonesettlement"), ("journal", "rails_posting")):
            assert rows(f"SELECT currency, sum(amount) FROM reporting.{view} GROUP BY 1 ORDER BY 1") == rows(
                f"SELECT currency, sum(amount_minor * {units}) FROM {table} GROUP BY 1 ORDER BY 1"
            )

    def test_times_are_moments_and_texts_that_say_nothing_are_null(self, world: World) -> None:
        for view in VIEWS:
            types = dict(
                rows(
                    "SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute "
                    "WHERE attrelid = %s::regclass AND attnum > 0",
                    view.full_name,
                )
            )
            for column in view.columns:
                expected = {Kind.TIME: "timestamp with time zone", Kind.AMOUNT: "numeric", Kind.BOOLEAN: "boolean"}
                if column.kind in expected:
                    assert types[column.name] == expected[column.kind]
                if column.kind in {Kind.TEXT, Kind.WORD, Kind.HASH}:
                    assert types[column.name] in {"text", "character varying", "character varying(3)"}
                    assert one(f"SELECT count(*) FROM {view.full_name} WHERE {column.name} = ''") == 0

    def test_filters_reach_the_tables(self, world: World) -> None:
        with connection.cursor() as cursor:
            for view, filtered, table in (
                ("settlements", f"milestone_id = {world.pod.pk}", "settlements_milestonesettlement"),
                ("settlements", f"payment_intent_id = {world.approved.pk}", "settlements_milestonesettlement"),
                ("decisions", f"milestone_id = {world.pod.pk}", "settlements_approval"),
                ("journal", "posting_id = 7", "rails_posting"),
                ("audit", f"payment_intent_id = {world.approved.pk}", "settlements_auditevent"),
                ("events", "event_id = 7", "settlements_shipmentevent"),
            ):
                cursor.execute(f"EXPLAIN (FORMAT JSON) SELECT * FROM reporting.{view} WHERE {filtered}")
                scans = list(_scans(cursor.fetchone()[0][0]["Plan"], table))
                assert scans, (view, filtered)
                value = filtered.rpartition(" ")[2]
                assert all(value in scan.get("Index Cond", scan.get("Filter", "")) for scan in scans), (view, scans)


def _scans(plan: dict[str, Any], table: str) -> Iterator[dict[str, Any]]:
    if plan.get("Relation Name") == table:
        # A bitmap's condition is the one that it checks again.
        yield plan | {"Index Cond": plan["Recheck Cond"]} if "Recheck Cond" in plan else plan
    for part in plan.get("Plans", ()):
        yield from _scans(part, table)


class TestWhatTheyHide:
    def test_secrets_and_account_numbers_in_words_of_people_and_providers(
        self, world: World, behind_the_guards: Sql
    ) -> None:
        behind_the_guards(
            "UPDATE settlements_milestonesettlement SET error = %s, blocked_reason = %s, explanation = %s",
            *[SECRETS] * 3,
        )
        behind_the_guards("UPDATE settlements_approval SET reason = %s", SECRETS)
        behind_the_guards(
            "UPDATE settlements_auditevent SET reason = %s, data = %s", SECRETS, f'{{"note": "{SECRETS}"}}'
        )
        behind_the_guards("UPDATE settlements_shipmentevent SET error = %s, body = %s", SECRETS, SECRETS)
        behind_the_guards("UPDATE rails_journalentry SET description = %s", SECRETS)
        for view in VIEWS:
            shown = json.dumps(one(f"SELECT json_agg(v) FROM {view.full_name} v"))
            assert [leak for leak in LEAKS if leak in shown] == [], view.name
            assert "my account ****2345 and ****3000" in shown, view.name

    @pytest.mark.parametrize(
        "words",
        [
            SECRETS, "4111 1111 1111 1111", "card 4111-1111-1111-1111, thanks", "GB29NWBK60161331926819", "whsec_QUJD",
            "SK_LIVE_x", "postgres://u:p@h/db", "api-key=abc&x=1", "nothing of that: order 12345678 of 2026-11-29",
            "PO 123456789", "",
        ],
    )  # fmt: skip
    def test_all_that_the_rules_of_redaction_hide(self, words: str, db: None) -> None:
        python, ours = redaction.text(words), one("SELECT reporting.redacted(%s)", words)
        # Stars may be fewer, and groups of digits go whole: nothing more is shown, and nothing else is hidden.
        assert (ours == words) == (python == words)
        assert re.sub(r"\*+", "*", python) == re.sub(r"\*+", "*", ours) or "[redacted]" in ours
        for piece in re.findall(r"[0-9A-Za-z]{5,}", words):
            if piece not in python:
                assert piece not in ours

    def test_no_column_of_a_body_a_seal_or_an_address(self) -> None:
        names = {column.name for view in VIEWS for column in view.columns}
        assert not names & {"body", "body_hash", "received_from", "data", "inputs", "sealed", "account_number", "last4"}


class TestThatTheyAreAsDocumented:
    def test_the_database_has_the_views_of_the_code(self, db: None) -> None:
        with connection.cursor() as cursor:
            cursor.execute("CREATE SCHEMA scratch")
            for statement in statements("scratch"):
                cursor.execute(statement)
        stored = {schema: dict(rows(_DEFINITIONS, schema, schema)) for schema in ("reporting", "scratch")}
        assert stored["reporting"].keys() == {*(view.name for view in VIEWS), "redacted"}
        for name, definition in stored["scratch"].items():
            assert definition.replace("scratch.", "reporting.") == stored["reporting"][name], (
                f"{name} is another in the database: a migration makes it anew (manage.py reporting_doc --sql)"
            )

    @pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
    def test_the_database_says_what_the_documents_say(self, view: View, db: None) -> None:
        assert one("SELECT obj_description(%s::regclass)", view.full_name) == view.says
        told = rows(
            "SELECT attname::text, col_description(attrelid, attnum) FROM pg_attribute "
            "WHERE attrelid = %s::regclass AND attnum > 0 ORDER BY attnum",
            view.full_name,
        )
        assert told == [(column.name, column.says) for column in view.columns]

    def test_the_columns_of_before_keep_their_place(self) -> None:
        """Reports are built on these: a column is never renamed, moved or removed."""
        first = {
            "settlements": ["milestone_id", "payment_intent_id", "shipment_id", "recipient_id", "recipient_name"],
            "decisions": ["milestone_id", "payment_intent_id", "made_by", "approval_id", "decision"],
            "journal": ["posting_id", "entry_id", "entry_reference", "kind", "milestone_id"],
            "audit": ["audit_event_id", "payment_intent_id", "sequence", "milestone_id", "shipment_id"],
            "events": ["event_id", "source", "source_kind", "message_id", "shipment_id"],
        }
        assert {view.name: [column.name for column in view.columns[:5]] for view in VIEWS} == first


_DEFINITIONS = """
    SELECT c.relname::text, pg_get_viewdef(c.oid) FROM pg_class c WHERE c.relnamespace = %s::regnamespace
        AND c.relkind = 'v'
    UNION ALL SELECT p.proname::text, pg_get_functiondef(p.oid) FROM pg_proc p WHERE p.pronamespace = %s::regnamespace
"""
