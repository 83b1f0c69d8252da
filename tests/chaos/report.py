"""A run in words."""

from collections import Counter
from collections.abc import Mapping

from tests.chaos.run import Report

_MOST_SHOWN = 20


def in_words(report: Report) -> str:
    """What was done, what came of it, and whether anything was wrong."""
    options = report.options
    faults = sum(report.faults.values())
    again = sum(count for tries, count in report.tries.items() if tries > 1)
    lines = [
        "",
        f"Seed {options.seed}, {report.seconds:.0f} s. At Stripe: {report.requests} requests, {faults} faults "
        f"({100 * faults / max(report.requests, 1):.0f} %), {report.transfers} transfers, {report.payouts} payouts.",
        _counted("Faults", report.faults),
        _counted("Trouble", report.trouble),
        _counted("Workers that died at a point", report.deaths),
        _counted("Requests of ours repeated, by status (0: no answer)", report.repeats),
        f"Approvals by officers: {report.approvals}; refused by Stripe and retried by people: {report.retried}.",
        _counted("Attempts by tries", {str(tries): count for tries, count in report.tries.items()})
        + f" {again} again.",
        _counted("Settlements", report.settlements),
        f"At rest {report.quiet_after:.0f} s after all was quiet, settled {report.settled_after:.0f} s after that.",
        "",
    ]
    if not report.violations:
        lines.append("Nothing lost, nothing paid twice, books balanced, nothing stuck.")
    else:
        lines.append(f"{len(report.violations)} VIOLATIONS; the first: {report.violations[0]}")
        lines += [f"  {violation}" for violation in report.violations[:_MOST_SHOWN]]
    return "\n".join(lines)


def _counted(what: str, counts: Mapping[str, int]) -> str:
    each = ", ".join(f"{name} {count}" for name, count in sorted(Counter(counts).items(), key=lambda one: -one[1]))
    return f"{what}: {sum(counts.values())} ({each})." if each else f"{what}: none."
