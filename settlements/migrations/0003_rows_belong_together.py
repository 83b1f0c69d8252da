from django.db import migrations


def foreign_key(table, name, columns, target):
    return migrations.RunSQL(
        f"ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY ({columns}) REFERENCES {target}",
        f"ALTER TABLE {table} DROP CONSTRAINT {name}",
    )


class Migration(migrations.Migration):
    """A settlement has the amount of its schedule item, and an intent the shipment of its token."""

    dependencies = [("settlements", "0002_versions")]

    operations = [
        foreign_key(
            "settlements_milestonesettlement",
            "settlement_has_the_amount_of_its_item",
            "intent_id, event_type, amount_minor, currency",
            "settlements_paymentscheduleitem (intent_id, event_type, amount_minor, currency)",
        ),
        foreign_key(
            "settlements_paymentintent",
            "intent_has_the_shipment_of_its_token",
            "freight_token_id, shipment_id",
            "settlements_freighttoken (id, shipment_id)",
        ),
    ]
