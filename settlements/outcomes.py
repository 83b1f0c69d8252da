"""What a provider's word changes: attempt, books, settlement and history, together, once, in any order."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson
from django.db import DatabaseError, connection, transaction

from rails import attempts, books, notices
from rails.base import Applied, Notice, RailOutcome, SettlementProvider
from rails.entries import LedgerError
from rails.models import AttemptState
from rails.money import Money
from rails.notices import Told
from settlements import audit, lifecycle, provider_words, sending
from settlements.provider_words import Case, Next
from settlements.statuses import WENT_OUT, SettlementStatus

logger = logging.getLogger(__name__)

# What one bad word can do to a batch: the database or the books refuse it, or something is not where it was read.
BAD_WORD = (DatabaseError, LedgerError, lifecycle.LostRace, attempts.LostAttempt)

_FIND = """
    WITH told AS (
        SELECT * FROM json_to_recordset(%s::json)
            AS t (place int, provider text, milestone_id bigint, number int, reference text)
    ), found AS (
        SELECT told.place, a.id, a.milestone_id FROM told JOIN rails_railattempt a
            ON a.milestone_id = told.milestone_id AND a.number = told.number AND a.provider = told.provider
        UNION ALL
        SELECT told.place, a.id, a.milestone_id FROM told JOIN rails_railattempt a
            ON a.provider = told.provider AND a.reference = told.reference
        WHERE told.milestone_id IS NULL AND told.reference <> ''
    )
    SELECT found.place, found.id, i.shipment_id, found.milestone_id FROM found
    JOIN settlements_milestonesettlement s ON s.id = found.milestone_id
    JOIN settlements_paymentintent i ON i.id = s.intent_id
"""
_LOCK = "SELECT id FROM settlements_shipment WHERE id = ANY(%s::bigint[]) ORDER BY id FOR UPDATE"
# All attempts of each milestone, the latest first: whoever claims one has it already, and looks at those before it.
_CASES = """
    SELECT a.id, a.milestone_id, a.number, a.provider, a.state, a.reference, a.amount_minor, a.currency,
        a.recipient_id, a.returned_minor, s.intent_id, a.submitted_at IS NOT NULL, a.tries, a.owed_minor,
        EXISTS (SELECT 1 FROM rails_railnotice n
                WHERE n.attempt_id = a.id AND n.outcome = 'RECLAIMED' AND n.applied = 'APPLIED')
    FROM rails_railattempt a JOIN settlements_milestonesettlement s ON s.id = a.milestone_id
    WHERE a.milestone_id = ANY(%s::bigint[]) ORDER BY a.milestone_id, a.number DESC FOR NO KEY UPDATE OF a
"""
_CONTRADICTED = """
    SELECT s.id, s.intent_id, s.status, s.blocked_reason <> '', rails_paid_though_refused(s.id)
    FROM settlements_milestonesettlement s WHERE s.id = ANY(%s::bigint[]) ORDER BY s.id
"""
_STATUSES = "SELECT id, status FROM settlements_milestonesettlement WHERE id = ANY(%s::bigint[])"


def _nothing_to_hold(told: Sequence[Notice]) -> None:
    pass


def apply(
    told: Sequence[Notice],
    *,
    actor: str,
    now: datetime,
    hold: Callable[[Sequence[Notice]], None] = _nothing_to_hold,
) -> list[Applied]:
    """Applies notices of any kind and order; what became of each. The same notice again changes nothing.

    In a transaction of its own (a savepoint inside the caller's), with the shipments locked. If one of them can not be
    applied the others are, one by one; that one is FAILED, and logged. `hold` is called under the locks, and raises
    Overtaken if the notices may not be true any more: then nothing is applied, and that is raised.
    """
    if not told:
        return []
    try:
        with transaction.atomic():
            return _Application(told, actor=actor, now=now).run(hold)
    except BAD_WORD as error:
        if len(told) == 1:
            logger.error("A provider's word (%s) could not be taken down: %s", told[0].source, error)
            return [Applied.FAILED]
        logger.error("%s words of providers could not be taken down together, now one by one: %s", len(told), error)
        return [apply([notice], actor=actor, now=now, hold=hold)[0] for notice in told]


class _Application:
    """One batch of notices on its way through: each attempt makes one step a round, until nothing moves any more."""

    def __init__(self, told: Sequence[Notice], *, actor: str, now: datetime) -> None:
        self.told, self.actor, self.now = told, actor, now
        self.results = [Applied.NOT_FOUND for _ in told]
        self.cases: dict[int, Case] = {}
        self.waiting: dict[int, list[int]] = {}
        self.moved: set[int] = set()

    def run(self, hold: Callable[[Sequence[Notice]], None]) -> list[Applied]:
        self._lock_and_read()
        hold(self.told)
        known = notices.known(
            notices.word(attempt_id, self.told[place])
            for attempt_id, places in self.waiting.items()
            for place in places
        )
        new: list[tuple[int, int]] = []
        for attempt_id, places in self.waiting.items():
            for place in places:
                if notices.word(attempt_id, self.told[place]) in known:
                    self.results[place] = Applied.ALREADY_PROCESSED
                else:
                    new.append((attempt_id, place))
                    known.add(notices.word(attempt_id, self.told[place]))
        self.waiting = {}
        for attempt_id, place in new:
            self.waiting.setdefault(attempt_id, []).append(place)
        while self.waiting:
            self._execute(self._round())
        notices.take_down(
            [
                Told(attempt_id, self.told[place], self.results[place])
                for attempt_id, place in new
                if self.results[place] is not Applied.NOT_FOUND
            ],
            now=self.now,
        )
        self._after_contradictions(
            [(self.cases[attempt_id], self.told[place]) for attempt_id, place in new if self._contradicts(place)]
        )
        return self.results

    def _contradicts(self, place: int) -> bool:
        return self.results[place] is Applied.CONTRADICTED

    def _after_contradictions(self, contradictions: Sequence[tuple[Case, Notice]]) -> None:
        """They are part of the history, and what would be paid a second time by them goes no further.

        An attempt that was not handed over yet is withdrawn; what people approved before they knew is void.
        """
        if not contradictions:
            return
        with connection.cursor() as cursor:
            cursor.execute(_CONTRADICTED, [sorted({case.milestone_id for case, _ in contradictions})])
            found = {row[0]: row[1:] for row in cursor.fetchall()}
        audit.record(
            [
                provider_words.contradiction(case, notice, status=found[case.milestone_id][1], actor=self.actor)
                for case, notice in contradictions
            ],
            now=self.now,
        )
        barred = {milestone_id for milestone_id, (*_, is_barred) in found.items() if is_barred}
        withdrawn = []
        for case in list(self.cases.values()):
            if case.milestone_id in barred and case.state is AttemptState.PREPARED:
                notice = provider_words.withdrawal(case, now=self.now)
                following = provider_words.following(case, notice)
                if not isinstance(following, Applied):
                    withdrawn.append((case, notice, following))
        self._execute(withdrawn)
        notices.take_down(
            [Told(case.attempt_id, notice, Applied.APPLIED) for case, notice, _ in withdrawn], now=self.now
        )
        lifecycle.block(
            [
                (milestone_id, intent_id, SettlementStatus(status), "")
                for milestone_id, (intent_id, status, is_blocked, _) in found.items()
                if is_blocked and milestone_id in barred and SettlementStatus(status) in WENT_OUT
            ],
            actor=self.actor,
            now=self.now,
        )

    def _lock_and_read(self) -> None:
        rows = [
            {
                "place": place,
                "provider": notice.provider,
                "milestone_id": notice.milestone_id,
                "number": notice.attempt_number,
                "reference": notice.reference_id,
            }
            for place, notice in enumerate(self.told)
        ]
        with connection.cursor() as cursor:
            cursor.execute(_FIND, [orjson.dumps(rows).decode()])
            found = sorted(cursor.fetchall())
            cursor.execute(_LOCK, [sorted({shipment_pk for _, _, shipment_pk, _ in found})])
            cursor.execute(_CASES, [sorted({milestone_id for _, _, _, milestone_id in found})])
            self.cases = {row[0]: _case(*row) for row in cursor.fetchall()}
        for place, attempt_id, _, _ in found:
            self.waiting.setdefault(attempt_id, []).append(place)

    def _round(self) -> list[tuple[Case, Notice, Next]]:
        """The next step of each attempt; notices that need none are answered."""
        steps = []
        for attempt_id, places in list(self.waiting.items()):
            while places:
                place = places[0]
                following = provider_words.following(self.cases[attempt_id], self.told[place])
                if not isinstance(following, Applied):
                    steps.append((self.cases[attempt_id], self.told[place], following))
                    self.moved.add(place)
                    if following.ends:
                        self.results[place] = Applied.APPLIED
                        places.pop(0)
                    break
                known = following is Applied.ALREADY_PROCESSED
                self.results[place] = Applied.APPLIED if known and place in self.moved else following
                if following is Applied.CONTRADICTED:
                    _log_contradiction(self.cases[attempt_id], self.told[place])
                places.pop(0)
            if not places:
                del self.waiting[attempt_id]
        return steps

    def _execute(self, steps: Sequence[tuple[Case, Notice, Next]]) -> None:
        """Attempts, books, settlements: the database lets the later ones follow the earlier ones only."""
        attempts.step([following.step for _, _, following in steps], now=self.now)
        books.book(
            [provider_words.movement(*each) for each in steps if each[2].outcome is not RailOutcome.REFUSED],
            now=self.now,
        )
        lifecycle.transition(
            [provider_words.move(*each, actor=self.actor) for each in steps if each[2].move is not None], now=self.now
        )
        self._tell_what_stays([each for each in steps if each[2].move is None])
        for case, notice, following in steps:
            self.cases[case.attempt_id] = replace(
                case,
                state=following.step.new,
                reference=following.step.reference or case.reference,
                returned=following.step.returned or case.returned,
                owed=following.step.owed or case.owed,
                reclaimed=case.reclaimed or notice.outcome is RailOutcome.RECLAIMED,
            )
            if following.outcome is RailOutcome.ACCEPTED:
                sending.log_success(case.milestone_id, following.step.reference)
            elif following.outcome is RailOutcome.REFUSED:
                sending.log_failure(case.milestone_id, notice.reason)

    def _tell_what_stays(self, steps: Sequence[tuple[Case, Notice, Next]]) -> None:
        """The settlements stay where they are by now, which a later attempt may have decided."""
        if not steps:
            return
        with connection.cursor() as cursor:
            cursor.execute(_STATUSES, [[case.milestone_id for case, _, _ in steps]])
            statuses = dict(cursor.fetchall())
        drafts = [
            provider_words.stays(*each, status=statuses[each[0].milestone_id], actor=self.actor) for each in steps
        ]
        audit.record(drafts, now=self.now)


def _log_contradiction(case: Case, notice: Notice) -> None:
    logger.error(
        "%s contradicts what is known: it says %s of milestone %s, attempt %s, which is %s under %s",
        notice.source,
        notice.outcome.value,
        case.milestone_id,
        case.number,
        case.state.value,
        case.reference or "no reference",
    )


def _case(*row: Any) -> Case:
    (attempt_id, milestone_id, number, provider, state, reference, minor, currency, recipient_id, returned,
     intent_id, submitted, tries, owed, reclaimed) = row  # fmt: skip
    return Case(
        attempt_id=attempt_id,
        milestone_id=milestone_id,
        number=number,
        provider=SettlementProvider(provider),
        state=AttemptState(state),
        reference=reference,
        amount=Money(minor, currency),
        recipient_id=recipient_id,
        returned=Money(returned, currency),
        intent_id=intent_id,
        submitted=submitted,
        tries=tries,
        owed=Money(owed, currency),
        reclaimed=reclaimed,
    )
