"""`python -m tests.chaos.provider`: the fake Stripe as a process, with a witness who looks into our database.

Each time a transfer is asked for, the witness looks, over a connection of its own, whether the claim was committed
before and its lease still holds. Money that moves before the claim is on record is money that a crash can lose sight
of, even where an idempotency key happens to save it.
"""

import argparse
import json
import signal
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg

from tests.chaos import plan
from tests.chaos.judging import Wrong
from tests.stripe_fake import StripeFake, accounts, control
from tests.stripe_fake.faults import Fault
from tests.stripe_fake.forms import decoded
from tests.stripe_fake.keys import Result
from tests.stripe_fake.transfers import CURRENCIES
from tests.stripe_fake.webhooks import Delivery

_LOOK = """
    SELECT state, leased_until > clock_timestamp() FROM rails_railattempt WHERE milestone_id = %s AND number = %s
"""


class Witness:
    """Writes a line for each call that came before its claim was committed, or after its lease was over."""

    def __init__(self, database_url: str, file: Path) -> None:
        self._url, self._file = database_url, file
        self._lock = threading.Lock()
        self._connection: psycopg.Connection | None = None

    def look(self, metadata: Mapping[str, str]) -> None:
        """Looks at the attempt that a transfer is asked for; while the database is away there is nothing to see."""
        attempt = int(metadata["chainpay_settlement"]), int(metadata["chainpay_attempt"])
        with self._lock:
            try:
                found = self._connected().execute(_LOOK, attempt).fetchone()
            except psycopg.Error:
                self._connection = None
                return
            complaint = _complaint(found)
            if complaint:
                with open(self._file, "a") as file:
                    file.write(f"{complaint.value}: attempt {attempt[1]} of settlement {attempt[0]}\n")

    def _connected(self) -> psycopg.Connection:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(self._url, autocommit=True, connect_timeout=1)
        return self._connection


def _complaint(found: tuple[str, bool | None] | None) -> Wrong | None:
    if found is None or found[0] == "PREPARED":
        return Wrong.UNSEEN
    return Wrong.UNLEASED if found[0] == "SUBMITTED" and not found[1] else None


class WitnessedFake(StripeFake):
    """The fake, with a witness at its door."""

    witness: Witness

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: str) -> tuple[Result, bool]:
        if (method, target) == ("POST", "/v1/transfers"):
            self.witness.look(decoded(body)["metadata"])
        return super().answer(method, target, headers, body)


def main() -> None:
    """Serves until it is told to stop; prints its address once it answers."""
    asked = _asked()
    delivery = Delivery(url=asked.webhook_url, secret=asked.webhook_secret, lost_rate=0.05, doubled_rate=0.3,
                        most_delay=3.0, tries=10)  # fmt: skip
    fake = WitnessedFake(port=asked.port, seed=asked.seed, fault_rate=asked.fault_rate, webhooks=delivery)
    fake.witness = Witness(asked.database_url, asked.witness)
    fake.faults.slow_seconds, fake.faults.lag_seconds = asked.slow_seconds, asked.lag_seconds
    _script(fake, asked.each)
    for currency in CURRENCIES:
        fake.world.fund(currency, 10**14)
    for place in range(plan.RECIPIENTS):
        accounts.add(fake.world, number=plan.account_of(place))
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with fake:
        print(json.dumps({"url": fake.url}), flush=True)
        while not stop.wait(asked.payout_seconds):
            control.pay_everybody(fake)


def _script(fake: StripeFake, each: int) -> None:
    """What chance may leave out comes first: each fault of a write so many times, with good answers between them."""
    kinds = [fault for fault in Fault if fault not in (Fault.UNAUTHORIZED, Fault.FORBIDDEN)]
    fake.faults.script(*[one for _ in range(each) for fault in kinds for one in (None, fault)])


def _asked() -> Any:
    parser = argparse.ArgumentParser(prog="tests.chaos.provider", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--fault-rate", type=float, required=True, help="probability of a fault, per request")
    parser.add_argument("--each", type=int, default=1, help="each fault at least so many times")
    parser.add_argument("--slow-seconds", type=float, default=4.0)
    parser.add_argument("--lag-seconds", type=float, default=1.0)
    parser.add_argument("--payout-seconds", type=float, default=5.0)
    parser.add_argument("--webhook-url", required=True)
    parser.add_argument("--webhook-secret", required=True)
    parser.add_argument("--database-url", required=True)
    parser.add_argument("--witness", type=Path, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
