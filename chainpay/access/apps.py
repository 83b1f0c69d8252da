from django.apps import AppConfig


class AccessConfig(AppConfig):
    name = "chainpay.access"
    label = "access"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "Access"
