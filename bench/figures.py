"""What do many latencies say? Throughput, median and the slowest hundredth."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One measurement: events per second, and of one event the latency and the CPU time, in milliseconds.

    The client is what talks to PostgreSQL: the web server, or the processes of the floor.
    """

    events: int
    per_second: float
    p50_ms: float
    p99_ms: float
    client_cpu_ms: float = 0.0
    database_cpu_ms: float = 0.0

    def line(self, name: str) -> str:
        """As the report shows it."""
        return (
            f"{name:<22} {self.events:>6} events  {self.per_second:>7.0f}/s"
            f"   p50 {self.p50_ms:>6.2f} ms   p99 {self.p99_ms:>6.2f} ms"
            f"   CPU {self.client_cpu_ms:.2f} + {self.database_cpu_ms:.2f} ms"
        )


@dataclass(frozen=True, slots=True)
class Work:
    """Rows worked on in one go; the seconds that took, and the CPU of the clients and of PostgreSQL for it."""

    rows: int
    elapsed: float
    client_cpu: float
    database_cpu: float

    @property
    def per_second(self) -> float:
        """Rows."""
        return self.rows / self.elapsed

    def line(self, name: str) -> str:
        """As the report shows it, CPU per row."""
        client, database = (1000 * seconds / self.rows for seconds in (self.client_cpu, self.database_cpu))
        return (
            f"{name:<22} {self.rows:>7} rows  {self.elapsed:>7.2f} s  {self.per_second:>7.0f}/s"
            f"   CPU {client:.3f} + {database:.3f} ms"
        )


def of(latencies: Sequence[float], *, elapsed: float, client_cpu: float = 0.0, database_cpu: float = 0.0) -> Figures:
    """The figures of one round; all times in seconds. Raises ValueError without any latency."""
    if not latencies or elapsed <= 0:
        raise ValueError("nothing was measured")
    ordered = sorted(latencies)
    return Figures(
        events=len(ordered),
        per_second=len(ordered) / elapsed,
        p50_ms=1000 * percentile(ordered, 50),
        p99_ms=1000 * percentile(ordered, 99),
        client_cpu_ms=1000 * client_cpu / len(ordered),
        database_cpu_ms=1000 * database_cpu / len(ordered),
    )


def percentile(ordered: Sequence[float], percent: int) -> float:
    """The smallest value that at least `percent` of the ordered values do not exceed (nearest rank)."""
    return ordered[max(0, ceil(len(ordered) * percent / 100) - 1)]


def middle(rounds: Sequence[Figures]) -> Figures:
    """The median of each figure over several rounds."""
    return Figures(
        events=sum(figures.events for figures in rounds),
        per_second=median(figures.per_second for figures in rounds),
        p50_ms=median(figures.p50_ms for figures in rounds),
        p99_ms=median(figures.p99_ms for figures in rounds),
        client_cpu_ms=median(figures.client_cpu_ms for figures in rounds),
        database_cpu_ms=median(figures.database_cpu_ms for figures in rounds),
    )
