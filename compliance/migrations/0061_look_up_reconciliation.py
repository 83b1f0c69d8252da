from django.db import migrations

from compliance import roles


def install(apps, schema_editor):
    roles.install(apps)


class Migration(migrations.Migration):
    """Every role may look up what was compared, found and resolved."""

    dependencies = [("compliance", "0057_look_up_closed_days"), ("settlements", "0080_reconciliation")]

    operations = [migrations.RunPython(install, migrations.RunPython.noop)]
