from django.db import migrations

from compliance import roles


def install(apps, schema_editor):
    roles.install(apps)


class Migration(migrations.Migration):
    """Every role may look up files, entries and items of ACH."""

    dependencies = [("compliance", "0031_look_up_stripe"), ("rails", "0020_ach")]

    operations = [migrations.RunPython(install, migrations.RunPython.noop)]
