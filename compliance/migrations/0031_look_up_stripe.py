from django.db import migrations

from compliance import roles


def install(apps, schema_editor):
    roles.install(apps)


class Migration(migrations.Migration):
    """Every role may look up what Stripe told, and reconciliations."""

    dependencies = [("compliance", "0030_look_up_the_rails"), ("rails", "0012_reconciliations")]

    operations = [migrations.RunPython(install, migrations.RunPython.noop)]
