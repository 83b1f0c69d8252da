"""The fake Stripe as a process: python -m tests.stripe_fake --port 12111 --seed 1 --fault-rate 0.1 ..."""

import argparse
import signal
import threading
from typing import Any

from tests.stripe_fake import accounts, control
from tests.stripe_fake.server import StripeFake
from tests.stripe_fake.service import API_KEY
from tests.stripe_fake.transfers import CURRENCIES
from tests.stripe_fake.webhooks import Delivery


def main() -> None:
    """Serves until it is told to stop; prints its address once it answers."""
    asked = _asked()
    delivery = None
    if asked.webhook_url:
        delivery = Delivery(
            url=asked.webhook_url,
            secret=asked.webhook_secret,
            lost_rate=asked.webhook_lost_rate,
            doubled_rate=asked.webhook_doubled_rate,
            most_delay=asked.webhook_delay,
        )
    fake = StripeFake(port=asked.port, seed=asked.seed, fault_rate=asked.fault_rate, webhooks=delivery)
    fake.faults.slow_seconds, fake.faults.lag_seconds = asked.slow_seconds, asked.lag_seconds
    fake.api_keys = {asked.api_key}
    fake.keys.honoured = not asked.ignore_keys
    for currency in CURRENCIES:
        fake.world.fund(currency, asked.fund)
    for place in range(asked.accounts):
        accounts.add(fake.world, number=f"acct_{place:016d}")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with fake:
        print(fake.url, flush=True)
        while not stop.wait(asked.payout_seconds or None):
            control.pay_everybody(fake)


def _asked() -> Any:
    parser = argparse.ArgumentParser(prog="tests.stripe_fake", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fault-rate", type=float, default=0.0, help="probability of a fault, per request")
    parser.add_argument("--slow-seconds", type=float, default=0.5, help="how late a slow request is done")
    parser.add_argument("--lag-seconds", type=float, default=1.0, help="how long lists may lag")
    parser.add_argument("--api-key", default=API_KEY)
    parser.add_argument("--accounts", type=int, default=0, help="connected accounts acct_0000000000000000 and on")
    parser.add_argument("--fund", type=int, default=10**14, help="platform balance of each currency, minor units")
    parser.add_argument("--payout-seconds", type=float, default=0.0, help="pay out everything this often; 0 never")
    parser.add_argument("--webhook-url", default="")
    parser.add_argument("--webhook-secret", default="whsec_chainpay")
    parser.add_argument("--webhook-lost-rate", type=float, default=0.0)
    parser.add_argument("--webhook-doubled-rate", type=float, default=0.0)
    parser.add_argument("--webhook-delay", type=float, default=0.0, help="at most this many seconds, at random")
    parser.add_argument("--ignore-keys", action="store_true", help="honour no idempotency keys: a mutant of Stripe")
    return parser.parse_args()


if __name__ == "__main__":
    main()
