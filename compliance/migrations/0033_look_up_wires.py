from django.db import migrations

from compliance import roles


def install(apps, schema_editor):
    roles.install(apps)


class Migration(migrations.Migration):
    """Every role may look up wires, their files and what the bank says of them."""

    dependencies = [("compliance", "0032_look_up_ach"), ("rails", "0031_wires_follow_attempts")]

    operations = [migrations.RunPython(install, migrations.RunPython.noop)]
