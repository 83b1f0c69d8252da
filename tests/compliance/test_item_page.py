"""The page of one settlement: why it waits, who may decide, what was paid, and how many statements that takes."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from compliance import recipient_record, schedule_picture, timeline
from compliance.roles import Role
from compliance.schedule_picture import Part, Piece
from rails import recipients
from rails.money import Money
from settlements import lifecycle, tokens
from settlements.models import AuditEvent, MilestoneSettlement, ShipmentEvent
from settlements.statuses import EventType, SettlementStatus
from settlements.tokens import TokenPush
from tests.compliance.conftest import event, freight, intent, logged_in, recipient, settlement, waiting
from tests.compliance.test_decisions_by_form import path, post
from tests.rails.rows import paid_before


def page(user, one) -> str:
    return logged_in(user).get(f"/admin/compliance/reviewqueue/{one.pk}/").content.decode()


def record_of(one: MilestoneSettlement) -> recipient_record.RecipientRecord:
    assert one.intent.recipient_id is not None
    return recipient_record.record(one.intent.recipient_id, besides=one.pk)


def delayed_until(one: MilestoneSettlement) -> datetime:
    assert one.settlement_delayed_until is not None
    return one.settlement_delayed_until


def status_of(moment: timeline.Moment) -> str:
    assert moment.move is not None
    return moment.move.to_status


def test_what_would_have_to_differ_is_told_as_things_are_now(officer):
    one = waiting("500.00")
    token = one.intent.freight_token
    push = TokenPush(shipment_id=one.intent.shipment.shipment_id, risk_score=Decimal("0.95"), status="cancelled")
    tokens.put(token.pk, push, actor="test", now=timezone.now())
    shown = page(officer, one)
    assert "the freight token were active or locked (it is cancelled)" in shown
    assert "the risk score were below 0.67 (it is 0.95)" in shown
    better = TokenPush(shipment_id=one.intent.shipment.shipment_id, risk_score=Decimal("0.1"), status="active")
    tokens.put(token.pk, better, actor="test", now=timezone.now())
    assert "the risk score were below 0.67 (it is 0.81)" in page(officer, one)


def test_it_says_why_it_waits_and_what_would_have_to_differ(officer):
    shown = page(officer, waiting("50000.00"))
    assert "HIGH risk (0.81 &gt;= 0.67) at POD_CONFIRMED: manual review" in shown
    assert "the risk score were below 0.67 (it is 0.81)" in shown
    assert "the amount were at most 10,000.00 USD (it is 40,000.00)" in shown
    assert "matrix/HIGH/POD_CONFIRMED" in shown


def test_it_says_so_when_the_score_is_unknown_and_when_it_is_on_hold(officer):
    one = waiting(score=None)
    post(officer, one, "hold")
    shown = page(officer, one)
    assert "the risk score were known and below 0.67" in shown
    assert "the hold were released" in shown


def test_the_creator_is_told_before_they_try(staff):
    creator = staff(Role.COMPLIANCE_OFFICER)
    shown = page(creator, waiting(creator=creator))
    assert "You created this payment intent; another officer must approve it." in shown
    assert "approve/?version" not in shown
    assert "reject/?version" in shown


def test_the_editor_of_the_recipient_is_told_before_they_try(staff, officer):
    editor = staff(Role.COMPLIANCE_OFFICER)
    recipient(user=editor)
    one = waiting(recipient_id="haulier")
    assert "You edited the recipient since its last payment" in page(editor, one)
    assert "You edited" not in page(officer, one)


def test_the_first_of_two_is_told_that_another_must(officer, second_officer):
    one = waiting("50000.00")
    post(officer, one, "approve")
    assert "You have approved this already (1 of 2)" in page(officer, one)
    other = page(second_officer, one)
    assert "You have approved" not in other
    assert "1 officer must still approve" in other
    assert "olga approved" in other


def test_the_record_tells_payments_reviews_and_changes(officer):
    recipient()
    paid = waiting("100.00", score="0.1", recipient_id="haulier")
    assert paid.status == SettlementStatus.APPROVED
    rejected, approved = waiting(recipient_id="haulier"), waiting(recipient_id="haulier")
    post(officer, rejected, "reject", reason="forged papers")
    post(officer, approved, "approve")
    recipients.put("haulier", "Renamed", actor="user:ops", now=timezone.now() + timedelta(seconds=1))
    one = waiting(recipient_id="haulier")
    record = record_of(one)
    assert record.paid == [Money(paid.amount_minor + approved.amount_minor, "USD")]
    assert (record.payments, record.returns, record.approved, record.rejected) == (2, 0, 1, 1)
    assert [past.milestone_id for past in record.last_reviews] == [approved.pk, rejected.pk]
    assert record.editors == "ops"
    assert "forged papers" in page(officer, one)


def test_a_recipient_without_payments_is_told_as_such(officer):
    recipient()
    one = waiting(recipient_id="haulier")
    record = record_of(one)
    assert (record.paid, record.first_payment, len(record.edits_since_payment)) == ([], None, 1)
    assert "First payment" in page(officer, one)


def test_the_record_says_when_it_is_of_the_latest_only(officer, monkeypatch):
    monkeypatch.setattr(recipient_record, "LATEST_INTENTS", 2)
    recipient()
    for _ in range(3):
        one = waiting("100.00", score="0.1", recipient_id="haulier")
    record = record_of(one)
    assert (record.all_of_them, record.payments) == (False, 2)


def test_the_timeline_has_messages_before_what_they_brought_about(officer):
    one = waiting()
    post(officer, one, "note", reason="x")
    post(officer, one, "approve")
    events = list(ShipmentEvent.objects.filter(shipment_id=one.intent.shipment_id))
    for event_of in events:
        event_of.received_at += timedelta(milliseconds=5)  # the database's clock may be ahead of ours
    history = list(AuditEvent.objects.filter(intent_id=one.intent_id))
    moments = timeline.timeline(events, history, brought_by={one.pk: one.event_id})
    told = [moment.event.event_type if moment.event else status_of(moment) for moment in moments]
    assert told == ["POD_CONFIRMED", "PENDING", "APPROVED"]


def test_the_timeline_says_why_a_release_waits_and_why_it_moved(officer):
    one = waiting()
    post(officer, one, "approve", reason="Bill of lading checked")
    row = [(one.pk, one.intent_id, SettlementStatus.PENDING, "rail stripe is switched off")]
    lifecycle.block(row, actor="system:test", now=timezone.now())
    shown = page(officer, one)
    story = shown[shown.index('id="timeline"') : shown.index('id="decisions"')]
    assert "Release blocked" in story
    assert "rail stripe is switched off" in story
    assert "Bill of lading checked" in story


def test_attempts_at_providers_are_told_with_their_outcome(officer):
    one = waiting()
    assert "Attempts at providers" not in page(officer, one)
    paid_before(one.pk, timezone.now())
    shown = page(officer, one)
    attempts = shown[shown.index('id="attempts"') : shown.index('id="decisions"')]
    for told in ("1, Stripe", "Refused", "Paid Haulage", "acct_1PaidBefore", "stripe event evt_1", "Contradicts"):
        assert told in attempts
    assert reverse("admin:compliance_work_item", args=[one.pk]) in attempts


def test_the_picture_is_as_wide_as_the_amounts_and_full():
    pieces = [
        Piece(event_type="A", amount=Money(1, "USD"), status="APPROVED", is_this=False),
        Piece(event_type="B", amount=Money(0, "USD"), status="PENDING", is_this=False),
        Piece(event_type="C", amount=Money(1, "USD"), status="PENDING", is_this=True),
        Piece(event_type="D", amount=Money(1, "USD"), status="", is_this=False),
    ]
    bars = schedule_picture.bars(pieces)
    assert [(bar.x, bar.width) for bar in bars] == [(0, 333), (333, 333), (666, 334)]
    assert schedule_picture.legend(bars) == [
        (Part.PAID, Money(1, "USD")),
        (Part.WAITING, Money(1, "USD")),
        (Part.TO_COME, Money(1, "USD")),
    ]


@pytest.mark.parametrize("status", ["", *SettlementStatus])
def test_every_status_has_its_place_in_the_picture(status):
    piece = Piece(event_type="A", amount=Money(1, "USD"), status=status, is_this=False)
    (bar,) = schedule_picture.bars([piece])
    assert bar.width == schedule_picture.WIDTH


def test_more_rows_take_no_more_statements(officer):
    recipient()
    one = waiting(recipient_id="haulier")

    def statements() -> int:
        client = logged_in(officer)
        with CaptureQueriesContext(connection) as seen:
            assert client.get(f"/admin/compliance/reviewqueue/{one.pk}/").status_code == 200
        return len(seen)

    before = statements()
    for number in range(4):
        post(officer, one, "note", reason=f"note {number}")
        recipients.put("haulier", f"Name {number}", actor="test", now=timezone.now())
        waiting("100.00", score="0.1", recipient_id="haulier")
    assert statements() == before


def test_nothing_on_the_page_needs_inline_script_or_style(officer):
    shown = page(officer, waiting())
    ours = shown.partition('class="cp-item"')[2]
    assert ours
    assert "style=" not in ours
    assert "onclick=" not in ours


def test_an_unknown_number_gets_a_page_that_says_so(officer):
    answer = logged_in(officer).get("/admin/compliance/reviewqueue/987654/")
    assert answer.status_code == 404
    assert "There is nothing at this address" in answer.content.decode()


def test_extending_moves_the_date_later_and_never_back(officer):
    of = freight("0.50")
    intent_id = intent(of)
    event(of, EventType.PICKUP_CONFIRMED)
    one = settlement(intent_id, EventType.PICKUP_CONFIRMED)

    def extend(until: str, reason: str = "wait"):
        return logged_in(officer).post(path(one, "extend"), {"until": until, "reason": reason})

    later = delayed_until(one) + timedelta(days=2)
    answer = extend(later.strftime("%Y-%m-%dT%H:%M"))
    assert answer.status_code == 302
    one.refresh_from_db()
    assert delayed_until(one).strftime("%Y-%m-%d %H:%M") == later.strftime("%Y-%m-%d %H:%M")
    back = (later - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M")
    refused = extend(back, "my reason")
    assert refused.status_code == 409
    assert "only to a later date" in refused.content.decode()
    assert "my reason" in refused.content.decode()
    assert extend("tomorrow").status_code == 400
