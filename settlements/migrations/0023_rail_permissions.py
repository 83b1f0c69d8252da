from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [("settlements", "0022_days_by_index")]

    operations = [
        migrations.AlterModelOptions(
            name="milestonesettlement",
            options={
                "permissions": [
                    ("read_queue", "Can read the review queue"),
                    ("decide_settlement", "Can approve and reject settlements"),
                    ("hold_settlement", "Can hold, lift and extend settlements"),
                    ("assign_settlement", "Can assign settlements to officers"),
                    ("annotate_settlement", "Can add notes and evidence to settlements"),
                    ("oversee_decisions", "Can read how officers decide"),
                    ("confirm_destination", "Can confirm or reject where a recipient is paid"),
                    ("manage_rails", "Can switch rails and recipients on and off, and choose default methods"),
                    ("handle_bank_files", "Can hand in the bank's files and reverse entries"),
                    ("confirm_wire", "Can record the bank's word on a wire"),
                    ("resolve_payment", "Can resolve failed and returned payments"),
                ]
            },
        ),
    ]
