from django.db import migrations

from compliance import roles


def install(apps, schema_editor):
    roles.install(apps)


class Migration(migrations.Migration):
    """Every role may look up exports."""

    dependencies = [("compliance", "0046_look_up_bank_inboxes"), ("settlements", "0052_exports")]

    operations = [migrations.RunPython(install, migrations.RunPython.noop)]
