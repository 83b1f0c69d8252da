from django.db import migrations

from compliance import roles


def install(apps, schema_editor):
    roles.install(apps)


class Migration(migrations.Migration):
    """Every role may look up default payment methods, and what Stripe and wires keep."""

    dependencies = [("compliance", "0020_look_up_attempts"), ("rails", "0031_wires_follow_attempts")]

    operations = [migrations.RunPython(install, migrations.RunPython.noop)]
