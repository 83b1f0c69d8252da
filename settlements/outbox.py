"""What subscribers are told of, written by the very statement that writes the audit events it is about.

A row of `settlements_delivery` per subscriber and message; sending is deliveries.py's. While nobody subscribes, each of
these statements ends at one look at an empty table.
"""

from datetime import timedelta
from typing import Final

from settlements import candidates
from settlements.statuses import News, SettlementStatus

GIVE_UP_AFTER: Final = timedelta(days=3)

_CREATED, _ANY = "settlement_created", "*"
_NEWS_OF_STATUS: Final = (
    (SettlementStatus.DELAYED, News.DELAYED),
    (SettlementStatus.PENDING, News.REVIEW_REQUIRED),
    (SettlementStatus.APPROVED, News.APPROVED),
    (SettlementStatus.SETTLED, News.SETTLED),
    (SettlementStatus.FAILED, News.FAILED),
    (SettlementStatus.RETURNED, News.RETURNED),
    (SettlementStatus.REJECTED, News.REJECTED),
    (SettlementStatus.CANCELLED, News.CANCELLED),
)
# Which audit event is which news: (action, status it left or *, status it reached or *, news). RELEASING is our own
# affair. A delayed one is told of again when its date has moved, one that waits for people when approvals became void
# with the decision.
_NEWS: Final = (
    (_CREATED, _ANY, _ANY, News.CREATED),
    *((_CREATED, "", status, news) for status, news in _NEWS_OF_STATUS),
    *(
        (_ANY, before, status, news)
        for status, news in _NEWS_OF_STATUS
        for before in SettlementStatus
        if before is not status
    ),
    ("decided_again", SettlementStatus.DELAYED, SettlementStatus.DELAYED, News.DELAYED),
    ("decided_again", SettlementStatus.PENDING, SettlementStatus.PENDING, News.REVIEW_REQUIRED),
    ("hold_extended", SettlementStatus.DELAYED, SettlementStatus.DELAYED, News.DELAYED),
)
_NEWS_ROWS = ", ".join(
    f"({place}, '{action}', '{old}', '{new}', '{news.value}')"
    for place, (action, old, new, news) in enumerate(_NEWS, start=1)
)

_COLUMNS = """(message_id, subscriber_id, audit_event_id, settlement_id, event_type, state, payload, attempts,
        failures, next_attempt_at, give_up_at, last_error, created_at)"""
# Aliases: sub the subscriber, told the audit event, s the settlement, t its intent's token.
_ROW = f"""'msg_' || replace(gen_random_uuid()::text, '-', ''), sub.id, told.id, s.id, {{news}}, 'WAITING', '', 0, 0,
        {{at}}, {{at}} + interval '{GIVE_UP_AFTER.days} days', '', {{at}}"""
# Asked once per statement, before anything else is looked at.
_SOMEBODY_LISTENS = "EXISTS (SELECT 1 FROM settlements_subscriber WHERE active)"
_REACHED = "sub.active AND {news} = ANY(sub.event_types) AND sub.carrier_id IN ('', t.carrier_id)"
# It waits since its creation and joins the queue only now: told once, whatever made it eligible first.
_NOT_TOLD_YET = f"""NOT EXISTS (
        SELECT 1 FROM settlements_delivery earlier WHERE earlier.settlement_id = s.id
        AND earlier.subscriber_id = sub.id AND earlier.event_type = '{News.REVIEW_REQUIRED.value}'
    )"""
_JOINS_THE_QUEUE = f"s.strategy = 'PENDING' AND {candidates.NEEDS_PEOPLE} AND {_NOT_TOLD_YET}"

# To follow a CTE `told` of new audit events: their news, and what a request to settle lets into the queue.
OF_AUDIT_EVENTS: Final = f"""
    INSERT INTO settlements_delivery {_COLUMNS}
    SELECT {_ROW.format(news="news.word", at="told.created_at")}
    FROM told
    CROSS JOIN LATERAL (
        SELECT news.place, told.settlement_id, news.word, false AS joins
        FROM (VALUES {_NEWS_ROWS}) AS news (place, action, old, new, word)
        WHERE told.settlement_id IS NOT NULL AND news.action IN (told.action, '{_ANY}')
          AND news.old IN (told.from_status, '{_ANY}') AND news.new IN (told.to_status, '{_ANY}')
        UNION ALL
        SELECT 0, waiting.id, '{News.REVIEW_REQUIRED.value}', true
        FROM settlements_milestonesettlement waiting
        WHERE told.action = 'settle_requested' AND waiting.intent_id = told.intent_id AND waiting.status = 'PENDING'
    ) news
    JOIN settlements_milestonesettlement s ON s.id = news.settlement_id
    JOIN settlements_paymentintent i ON i.id = s.intent_id
    JOIN settlements_freighttoken t ON t.id = i.freight_token_id
    JOIN settlements_subscriber sub ON {_REACHED.format(news="news.word")}
    WHERE {_SOMEBODY_LISTENS}
      AND (s.amount_minor > 0 OR news.word = '{News.CREATED.value}')
      AND CASE WHEN news.joins THEN {_JOINS_THE_QUEUE}
               WHEN news.word = '{News.REVIEW_REQUIRED.value}' THEN {candidates.WAITS_FOR_PEOPLE}
               ELSE true END
    ORDER BY told.id, news.place
"""

# To follow a CTE `e` of processed shipment events: what a proof of delivery lets into the queue. The audit event it
# is told with is the intent's last one, for an intent whose schedule has no such item gets none of its own.
OF_PROCESSED_EVENTS: Final = f"""
    INSERT INTO settlements_delivery {_COLUMNS}
    SELECT {_ROW.format(news=f"'{News.REVIEW_REQUIRED.value}'", at="e.processed_at")}
    FROM e
    JOIN settlements_eventsource src ON src.id = e.source_id
    JOIN settlements_paymentintent i ON i.shipment_id = e.shipment_id
    JOIN settlements_milestonesettlement s ON s.intent_id = i.id AND s.status = 'PENDING'
    JOIN settlements_freighttoken t ON t.id = i.freight_token_id
    JOIN settlements_subscriber sub ON {_REACHED.format(news=f"'{News.REVIEW_REQUIRED.value}'")}
    CROSS JOIN LATERAL (
        SELECT a.id FROM settlements_auditevent a WHERE a.intent_id = i.id ORDER BY a.sequence DESC LIMIT 1
    ) told
    WHERE {_SOMEBODY_LISTENS} AND e.event_type = 'POD_CONFIRMED'
      AND {candidates.REACHES} AND {_JOINS_THE_QUEUE}
    ORDER BY s.id
"""
