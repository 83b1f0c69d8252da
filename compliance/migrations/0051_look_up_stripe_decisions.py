from django.db import migrations

from compliance import roles


def install(apps, schema_editor):
    roles.install(apps)


class Migration(migrations.Migration):
    """Every role may look up what was decided about events of Stripe's."""

    dependencies = [("compliance", "0061_look_up_reconciliation"), ("rails", "0074_stripe_event_decisions")]

    operations = [migrations.RunPython(install, migrations.RunPython.noop)]
