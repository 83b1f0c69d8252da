from django.db import migrations
from django.utils import timezone


def create(apps, schema_editor):
    apps.get_model("settlements", "EventSource").objects.get_or_create(
        name="platform", defaults={"kind": "platform", "created_at": timezone.now()}
    )


class Migration(migrations.Migration):
    """The platform posts events of every shipment."""

    dependencies = [("settlements", "0004_journal_follows_settlements")]

    operations = [migrations.RunPython(create, migrations.RunPython.noop)]
