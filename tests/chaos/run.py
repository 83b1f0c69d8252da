"""One run from beginning to end: everything started, fed, killed, left in quiet, and judged."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg

from chainpay.embedded.saying import say
from chainpay.embedded.servers import Servers
from tests.chaos import fleet, ground, judging, looking, plan
from tests.chaos.feeding import Feeders, Officers
from tests.chaos.fleet import Fleet
from tests.chaos.judging import FOR_GOOD, Found, Violation, Wrong
from tests.chaos.mutants import MUTANTS
from tests.chaos.plan import CURRENCIES
from tests.chaos.trouble import Trouble

_TICK: Final = 0.1
_LATE: Final = 1.5  # times the planned seconds
# A listener that dies may leave a lease of a minute, and polling is for what no webhook told.
_SETTLING_SECONDS: Final = 180.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a run is to be. Durations in seconds; `patience` is how long anything may still move once all is quiet."""

    releases: int
    seed: int
    fault_rate: float
    death_rate: float
    seconds: float
    every: float
    patience: float
    each: int = 1
    gentle: bool = False
    mutant: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a run came to."""

    options: Options
    violations: Sequence[Violation]
    settlements: Counter[str]
    transfers: int
    payouts: int
    requests: int
    faults: Counter[str]
    trouble: Counter[str]
    deaths: Counter[str]
    repeats: Counter[str]
    approvals: int
    tries: dict[int, int]
    retried: int
    quiet_after: float
    settled_after: float
    seconds: float


def settings(ports: tuple[int, int]) -> dict[str, str]:
    """What an operator would write into the environment, with everything as often as it can be."""
    return {
        "ALLOWED_HOSTS": "localhost",
        "CHAINPAY_DEMO": "0",
        "CHAINPAY_HOLD_SECONDS": "4",
        "CHAINPAY_SWEEP_SECONDS": "2",
        "CHAINPAY_SUBMIT_SECONDS": "1",
        "CHAINPAY_DELIVERY_SECONDS": "30",
        "CHAINPAY_DIGEST_SECONDS": "600",
        "CHAINPAY_LOG_LEVEL": "WARNING",
        "PORT": str(ports[1]),
        "STRIPE_API_BASE": f"http://127.0.0.1:{ports[0]}",
        "STRIPE_API_KEY": "sk_test_chainpay",
        "STRIPE_WEBHOOK_SECRET": ground.WEBHOOK_SECRET,
        "STRIPE_CONNECT_TIMEOUT_SECONDS": "1",
        "STRIPE_TIMEOUT_SECONDS": "1",
        "CHAINPAY_STRIPE_LOOKUP_LAG_SECONDS": "2",
        "CHAINPAY_STRIPE_POLL_SECONDS": "5",
    }


def run(options: Options, *, var: Path, ports: tuple[int, int], servers: Servers) -> Report:
    """Runs once, on a database of its own. Raises NotUp and NotServed."""
    began = time.monotonic()
    for left in ("armed", "deaths", "witness"):
        (var / left).unlink(missing_ok=True)
    servers.ensure()
    ground.clean(var)
    people = ground.people()
    database_url = ground.url(var, ground.DATABASE)
    planned = plan.draw(options.releases, seed=options.seed)
    all_of = fleet.of(
        var, database_url=database_url, ports=ports,
        stripe=_stripe(options, ports), worker=_worker(options), environment=_environment(options, var),
    )  # fmt: skip
    feeders = Feeders(planned, port=ports[1], as_=people, seconds=options.seconds, seed=options.seed)
    officers = Officers(port=ports[1], as_=people)
    trouble = Trouble(all_of, servers, database_url=database_url, seed=options.seed, gentle=options.gentle)

    def caught() -> bool:
        """Whether a mutant has done what nothing can mend, so that there is no need to go on."""
        return bool(options.mutant) and any(
            each.wrong in FOR_GOOD & MUTANTS[options.mutant].shows
            for each in judging.judge(planned, dict(feeders.intents), looking.found(database_url, all_of))
        )

    try:
        all_of.start()
        (var / "armed").touch()
        say(f"{len(planned)} intents with {sum(len(each.owed) for each in planned)} releases are under way ...")
        feeders.start()
        officers.start()
        _make_trouble(options, all_of, feeders, trouble, caught)
        say("Quiet: no more faults, nobody is killed any more.")
        (var / "armed").unlink()
        all_of.ask_stripe("faults", {"rate": 0.0})
        quiet_after = _wait(options.patience, all_of, lambda: not looking.moving(database_url) or caught())
        officers.stop()
        retried, settled_after = 0, 0.0
        if not _for_good(judging.judge(planned, feeders.intents, looking.found(database_url, all_of))):
            retried = _retried(options, all_of, database_url)
            settled_after = _pay_out(all_of, database_url)
        return _report(
            options,
            all_of,
            planned,
            feeders,
            officers,
            trouble,
            database_url,
            retried,
            quiet_after,
            settled_after,
            began,
        )
    finally:
        all_of.stop()


def _make_trouble(
    options: Options, all_of: Fleet, feeders: Feeders, trouble: Trouble, caught: Callable[[], bool]
) -> None:
    """Until every kind of trouble was there, and for as long as the plan says; then what is still asked for is let be.

    A machine too busy to start again what was killed would else never come to the end.
    """
    began = time.monotonic()
    next_at = began + options.every
    while feeders.at_work() or trouble.lacks():
        all_of.watch()
        wanted = trouble.lacks() or time.monotonic() < began + options.seconds * _LATE
        if wanted and time.monotonic() >= next_at:
            if caught():
                return
            say(f"  {trouble.make()}")
            next_at = time.monotonic() + options.every
        time.sleep(_TICK)


def _for_good(violations: Sequence[Violation]) -> list[Violation]:
    return [violation for violation in violations if violation.wrong in FOR_GOOD]


def _retried(options: Options, all_of: Fleet, database_url: str) -> int:
    """What Stripe refused goes out once more; how many that were."""
    from tests.chaos.retrying import retry_what_failed  # its models need the settings that are ready only now

    count = retry_what_failed()
    _wait(options.patience, all_of, lambda: not looking.moving(database_url))
    return count


def _pay_out(all_of: Fleet, database_url: str) -> float:
    """Stripe pays everything out and tells of it; seconds until our books have it, or our patience is over."""
    for currency in CURRENCIES:
        all_of.ask_stripe("payouts", {"currency": currency.lower()})
    return _wait(_SETTLING_SECONDS, all_of, lambda: not looking.on_its_way(database_url))


def _wait(patience: float, all_of: Fleet, rests: Callable[[], bool]) -> float:
    """Until all is at rest, or for as long as the patience lasts; the seconds that it took."""
    began = time.monotonic()
    while time.monotonic() < began + patience:
        all_of.watch()
        with suppress(psycopg.OperationalError):
            if rests():
                break
        time.sleep(0.5)
    return time.monotonic() - began


def _report(
    options: Options, all_of: Fleet, planned: Sequence[plan.Planned], feeders: Feeders, officers: Officers,
    trouble: Trouble, database_url: str, retried: int, quiet_after: float, settled_after: float,
    began: float,
) -> Report:  # fmt: skip
    found = looking.found(database_url, all_of)
    violations = judging.judge(planned, feeders.intents, found)
    violations += _of_the_books(found, database_url)
    state = all_of.ask_stripe("state")
    return Report(
        options=options,
        violations=violations,
        settlements=Counter(each.status for each in found.settlements),
        transfers=len(found.transfers),
        payouts=state["payouts"],
        requests=state["requests"],
        faults=Counter(state["faults"]),
        trouble=trouble.done,
        deaths=looking.deaths(all_of.var / "deaths"),
        repeats=feeders.repeats(),
        approvals=officers.approvals,
        tries=looking.tries(database_url),
        retried=retried,
        quiet_after=quiet_after,
        settled_after=settled_after,
        seconds=time.monotonic() - began,
    )


def _of_the_books(found: Found, database_url: str) -> list[Violation]:
    violations = judging.judge_books(found, looking.balances(database_url))
    complaint = looking.verify_books()
    return [*violations, *([Violation(Wrong.BOOKS, complaint)] if complaint else [])]


def _stripe(options: Options, ports: tuple[int, int]) -> list[str]:
    return [
        *("--seed", str(options.seed), "--fault-rate", str(options.fault_rate), "--each", str(options.each)),
        *("--webhook-url", f"http://127.0.0.1:{ports[1]}/webhooks/stripe"),
        *("--webhook-secret", ground.WEBHOOK_SECRET),
    ]


def _worker(options: Options) -> list[str]:
    planted = ["tests.chaos.points", *(["tests.chaos.mutants"] if options.mutant else [])]
    return ["--include", ",".join(planted)]


def _environment(options: Options, var: Path) -> dict[str, str]:
    return {
        "CHAOS_DEATH_RATE": str(options.death_rate),
        "CHAOS_ARMED": str(var / "armed"),
        "CHAOS_DEATHS": str(var / "deaths"),
        **({"CHAOS_MUTANT": options.mutant} if options.mutant else {}),
    }
