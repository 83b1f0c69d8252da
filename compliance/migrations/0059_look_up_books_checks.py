from django.db import migrations

from compliance import roles


def install(apps, schema_editor):
    roles.install(apps)


class Migration(migrations.Migration):
    """Every role may look up when the books were verified, and what was found."""

    dependencies = [("compliance", "0055_look_up_checkpoints"), ("settlements", "0071_books_checks")]

    operations = [migrations.RunPython(install, migrations.RunPython.noop)]
