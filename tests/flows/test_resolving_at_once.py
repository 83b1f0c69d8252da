"""Two officers at once over one failed payment, with real threads: the first wins, and money moves once."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from rails.models import RailAttempt, Recipient
from settlements import judging, retries, submitting
from settlements.models import Approval, MilestoneSettlement
from settlements.refusals import Refusal
from settlements.statuses import SettlementStatus as S
from tests.factories import a_user, now, officer, version_of
from tests.flows.conftest import at_once
from tests.flows.pretend_provider import PretendProvider, a_payable_recipient, pretend_provider
from tests.flows.resolving import failed, in_question, releasing, submit

pytestmark = pytest.mark.django_db(transaction=True)
OFFICERS = 8


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[PretendProvider]:
    with pretend_provider(monkeypatch) as pretended:
        yield pretended


@pytest.fixture
def recipient(provider: PretendProvider) -> Recipient:
    return a_payable_recipient()


def tried(act: Callable[[], Any]) -> str:
    try:
        return str(act())
    except Refusal as refusal:
        return refusal.code


def by_each(act: Callable[..., Any], settlement: MilestoneSettlement, **fields: Any) -> list[str]:
    """What eight officers are told who all do the same at once."""
    staff = [officer(a_user()) for _ in range(OFFICERS)]
    calls = [
        partial(tried, partial(act, settlement.pk, officer=each, reason="go", now=now(), **fields)) for each in staff
    ]
    return at_once(calls)


def test_one_retry_becomes_one_attempt(provider: PretendProvider, recipient: Recipient) -> None:
    settlement = failed(provider, recipient, amount=Decimal("1000"))
    answers = by_each(retries.retry, settlement, version=version_of(settlement.pk))
    assert sorted(answers) == ["A new attempt is on its way to the provider"] + ["settlement_not_waiting"] * 7
    assert (Approval.objects.count(), RailAttempt.objects.count()) == (1, 2)
    assert submit(provider).accepted == 1
    assert len(provider.taken) == 1


def test_two_approvals_are_enough_for_one_attempt_however_many_come(
    provider: PretendProvider, recipient: Recipient
) -> None:
    settlement = failed(provider, recipient, amount=Decimal("50000"))
    answers = by_each(retries.retry, settlement, version=version_of(settlement.pk))
    assert answers.count("settlement_not_waiting") == 6
    assert (Approval.objects.count(), RailAttempt.objects.count()) == (2, 2)


def test_written_off_or_turned_to_the_ledger_never_both(provider: PretendProvider, recipient: Recipient) -> None:
    for _ in range(5):
        settlement = failed(provider, recipient, amount=Decimal("1000"))
        fields: dict[str, Any] = {"reason": "go", "version": version_of(settlement.pk), "now": now()}
        calls = [
            partial(tried, partial(retries.write_off, settlement.pk, officer=officer(a_user()), **fields)),
            partial(
                tried,
                partial(
                    retries.pay_elsewhere, settlement.pk, method="internal_ledger", officer=officer(a_user()), **fields
                ),
            ),
            partial(tried, partial(retries.retry, settlement.pk, officer=officer(a_user()), **fields)),
        ]
        answers = at_once(calls)
        refused = [answer for answer in answers if answer in {"settlement_not_waiting", "version_stale"}]
        assert len(refused) == 2
        settlement.refresh_from_db()
        assert settlement.status in {S.CANCELLED, S.FAILED, S.RELEASING}


def test_one_withdrawal_or_the_submitter_wins(provider: PretendProvider, recipient: Recipient) -> None:
    for _ in range(10):
        settlement = releasing(recipient)
        withdraw = partial(judging.withdraw, settlement.pk, number=1, officer=officer(a_user()), reason="no", now=now())
        calls: list[Callable[[], object]] = [partial(tried, withdraw), partial(submitting.submit, provider, clock=now)]
        answers = at_once(calls)
        settlement.refresh_from_db()
        withdrawn = answers[0] == "Withdrawn before anything was handed over"
        assert settlement.status == (S.FAILED if withdrawn else S.APPROVED)
        assert ((settlement.pk, 1) in provider.taken) is not withdrawn


def test_one_word_about_a_question_counts(provider: PretendProvider, recipient: Recipient) -> None:
    settlement = in_question(provider, recipient)
    answers = by_each(judging.record_refused, settlement, number=1)
    assert sum(answer.startswith("Recorded") for answer in answers) == 1
    settlement.refresh_from_db()
    assert settlement.status == S.FAILED
