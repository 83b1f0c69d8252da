"""Which settlements are ours: a mark of this installation in all that Stripe keeps of them.

Settlements are counted from 1 in every database. Without the mark another database on the same Stripe account would
find our transfers when it looks its own settlements up, and take them for paid.
"""

from django.db import connection

_MARK = """
    WITH made AS (
        INSERT INTO rails_stripeinstallation (only_one, mark, created_at)
        VALUES (true, substr(replace(gen_random_uuid()::text, '-', ''), 1, 12), now())
        ON CONFLICT (only_one) DO NOTHING RETURNING mark
    )
    SELECT mark FROM made UNION ALL SELECT mark FROM rails_stripeinstallation LIMIT 1
"""


def mark() -> str:
    """Twelve hexadecimal digits, made when they are first asked for and then kept with the books."""
    with connection.cursor() as cursor:
        for _ in range(2):
            # Whoever loses the race of the first two sees the other's row only in its next statement.
            cursor.execute(_MARK)
            row = cursor.fetchone()
            if row is not None:
                return str(row[0])
    raise LookupError("this installation has no mark")
