"""The addresses of logging in, all below /admin/, for sessions exist only there.

Of django-allauth's routes these and no others: nobody signs up, and nobody gets in by mail. The names are allauth's.
"""

from django.urls import URLPattern, path

from chainpay.access import pages

urlpatterns: list[URLPattern] = [
    path("login/", pages.LoginPage.as_view(), name="account_login"),
    path("logout/", pages.logout, name="account_logout"),
    path("password_change/", pages.PasswordPage.as_view(), name="account_change_password"),
    path("account/code/", pages.CodePage.as_view(), name="mfa_authenticate"),
    path("account/confirm/", pages.ConfirmPage.as_view(), name="account_reauthenticate"),
    path("account/confirm/key/", pages.ConfirmByKeyPage.as_view(), name="mfa_reauthenticate_webauthn"),
    path("account/second-factor/", pages.FactorsPage.as_view(), name="mfa_index"),
    path("account/second-factor/app/", pages.ActivatePage.as_view(), name="mfa_activate_totp"),
    path("account/second-factor/app/remove/", pages.DeactivatePage.as_view(), name="mfa_deactivate_totp"),
    path("account/second-factor/keys/add/", pages.AddKeyPage.as_view(), name="mfa_add_webauthn"),
    path("account/second-factor/keys/<int:pk>/remove/", pages.RemoveKeyPage.as_view(), name="mfa_remove_webauthn"),
    path("account/recovery-codes/", pages.RecoveryCodesPage.as_view(), name="mfa_view_recovery_codes"),
    path("account/recovery-codes/new/", pages.NewRecoveryCodesPage.as_view(), name="mfa_generate_recovery_codes"),
]
