"""A posting, its entry and both its accounts are in one currency: composite foreign keys, which models can not say."""

from django.db import migrations

_KEYS = {
    "posting_is_in_its_entrys_currency": ("entry_id", "rails_journalentry"),
    "posting_is_in_the_debited_accounts_currency": ("debit_account_id", "rails_account"),
    "posting_is_in_the_credited_accounts_currency": ("credit_account_id", "rails_account"),
}


class Migration(migrations.Migration):
    dependencies = [("rails", "0001_books")]

    operations = [
        migrations.RunSQL(
            sql=[
                f"ALTER TABLE rails_posting ADD CONSTRAINT {name}"
                f" FOREIGN KEY ({column}, currency) REFERENCES {table} (id, currency)"
                for name, (column, table) in _KEYS.items()
            ],
            reverse_sql=[f"ALTER TABLE rails_posting DROP CONSTRAINT {name}" for name in _KEYS],
        ),
    ]
