from django.db import migrations

from compliance import roles


def install(apps, schema_editor):
    roles.install(apps)


class Migration(migrations.Migration):
    """Every role may look up what people said of files that an outbox had lost."""

    dependencies = [("compliance", "0059_look_up_books_checks"), ("rails", "0090_lost_files")]

    operations = [migrations.RunPython(install, migrations.RunPython.noop)]
