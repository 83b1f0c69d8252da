from django.db import migrations

from compliance import roles


def install(apps, schema_editor):
    roles.install(apps)


class Migration(migrations.Migration):
    """Every role may look up how quarantined files were dealt with, and the troubles of inboxes."""

    dependencies = [("compliance", "0034_finance_permissions"), ("rails", "0070_bank_inboxes")]

    operations = [migrations.RunPython(install, migrations.RunPython.noop)]
