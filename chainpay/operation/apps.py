import logging

from django.apps import AppConfig


class OperationConfig(AppConfig):
    name = "chainpay.operation"
    label = "operation"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "Operation"

    def ready(self) -> None:
        """Before the first connection and the first error."""
        from chainpay.operation import database_names, error_reports

        # No line shows in which file it was written, and looking for that takes a quarter of a line's time (Python's
        # Logging HOWTO, Optimization).
        logging._srcfile = None
        database_names.connect()
        error_reports.begin()
