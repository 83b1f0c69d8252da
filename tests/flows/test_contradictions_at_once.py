"""The word about a refused attempt and the claim of the next one at the same moment: one waits for the other."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import DatabaseError, connection, connections, transaction

from rails import attempts
from rails.base import Applied, RailOutcome, SettlementProvider
from rails.models import AttemptState, RailAttempt, Recipient
from settlements import outcomes
from settlements.models import MilestoneSettlement
from settlements.statuses import SettlementStatus as S
from tests.factories import a_user, now
from tests.flows.contradicting import SMALL, notice_row, says, stands
from tests.flows.pretend_provider import PretendProvider, a_payable_recipient, pretend_provider
from tests.flows.resolving import (
    attempt_of,
    failed,
    retry,
    submit,
)
from tests.settlements.by_hand import change

STRIPE = SettlementProvider.STRIPE


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[PretendProvider]:
    with pretend_provider(monkeypatch) as pretended:
        yield pretended


@pytest.fixture
def recipient(provider: PretendProvider) -> Recipient:
    return a_payable_recipient()


@pytest.mark.django_db(transaction=True)
class TestAtTheSameMoment:
    """Two connections: the word and the claim of the next attempt."""

    @pytest.fixture
    def settlement(self, provider: PretendProvider, recipient: Recipient) -> MilestoneSettlement:
        settlement = failed(provider, recipient, **SMALL)
        retry(settlement, a_user())
        return settlement

    def test_a_word_that_is_not_committed_yet_is_waited_for_by_no_claim(
        self, provider: PretendProvider, settlement: MilestoneSettlement
    ) -> None:
        with transaction.atomic():
            outcomes.apply([says(settlement, RailOutcome.ACCEPTED)], actor="rail:stripe", now=now())
            assert in_another_connection(lambda: submit(provider).accepted) == 0
        assert submit(provider).accepted == 0
        assert (settlement.pk, 2) not in provider.taken

    def test_a_claim_that_is_not_committed_yet_is_waited_for_by_the_word(
        self, provider: PretendProvider, settlement: MilestoneSettlement
    ) -> None:
        told: list[Any] = []
        teller = threading.Thread(
            target=lambda: told.append(
                in_another_connection(
                    lambda: outcomes.apply([says(settlement, RailOutcome.ACCEPTED)], actor="rail:stripe", now=now())
                )
            )
        )
        with transaction.atomic():
            claimed = attempts.claim(STRIPE, limit=10, lease_seconds=30, is_open=True)
            assert [each.instruction.look_up_only for each in claimed] == [False]
            teller.start()
            waits_for_a_lock()
            assert not told
        teller.join()
        assert told == [[Applied.CONTRADICTED]]
        assert stands(settlement) == (S.RELEASING, AttemptState.SUBMITTED, 2)

    def test_a_bare_row_and_a_bare_claim_see_each_other(self, settlement: MilestoneSettlement) -> None:
        """Past the domain, by the triggers alone."""
        first = RailAttempt.objects.get(milestone_id=settlement.pk, number=1)
        refused: list[str] = []

        def claim() -> None:
            try:
                in_another_connection(lambda: change(attempt_of(settlement), state="SUBMITTED", submitted_at=now()))
            except DatabaseError as error:
                refused.append(str(error))

        def tell_by_hand() -> None:
            with transaction.atomic():
                RailAttempt.objects.select_for_update(no_key=True).get(pk=first.pk)
                notice_row(first)
                claimer.start()
                waits_for_a_lock()

        claimer = threading.Thread(target=claim)
        with pytest.raises(DatabaseError, match="is withdrawn first"):
            tell_by_hand()
        claimer.join()
        assert not refused, "the word was rolled back, so the claim goes on"


def in_another_connection(call: Any) -> Any:
    """What the call answers, or raises, on a connection of its own."""

    def run() -> Any:
        try:
            return call()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result()


def waits_for_a_lock() -> None:
    """Returns when somebody waits for a lock that another holds."""
    with connection.cursor() as cursor:
        while True:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone()[0]:
                return
