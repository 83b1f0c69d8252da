from django.apps import AppConfig


class OperationConfig(AppConfig):
    name = "chainpay.operation"
    label = "operation"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "Operation"
