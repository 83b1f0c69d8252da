from django.db import migrations

from compliance import roles


def install(apps, schema_editor):
    roles.install(apps)


class Migration(migrations.Migration):
    """Every role may look up checkpoints and the chain heads they saw."""

    dependencies = [("compliance", "0050_look_up_exports"), ("settlements", "0058_checkpoints")]

    operations = [migrations.RunPython(install, migrations.RunPython.noop)]
