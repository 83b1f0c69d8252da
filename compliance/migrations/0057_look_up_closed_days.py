from django.db import migrations

from compliance import roles


def install(apps, schema_editor):
    roles.install(apps)


class Migration(migrations.Migration):
    """Every role may look up closed days."""

    dependencies = [("compliance", "0064_look_up_lost_files"), ("rails", "0079_closed_days")]

    operations = [migrations.RunPython(install, migrations.RunPython.noop)]
