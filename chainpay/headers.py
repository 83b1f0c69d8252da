"""What browsers may do with our answers: django-csp for pages, and next to nothing for everything else."""

from typing import Final

from csp.constants import HEADER, NONE, SELF, UNSAFE_EVAL
from csp.middleware import CSPMiddleware, PolicyParts
from django.http import HttpRequest, HttpResponseBase

# No inline script and no inline style anywhere, and no other host.
PAGES: Final = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
        "object-src": [NONE],
    }
}
# The admin's Alpine compiles the expressions of its templates.
_ADMIN: Final = {"script-src": [UNSAFE_EVAL]}
_NOT_A_PAGE: Final = "default-src 'none'; frame-ancestors 'none'"
_NOBODY: Final = (
    "accelerometer", "autoplay", "camera", "display-capture", "encrypted-media", "fullscreen",
    "geolocation", "gyroscope", "hid", "idle-detection", "magnetometer", "microphone", "midi", "payment",
    "picture-in-picture", "screen-wake-lock", "serial", "usb", "xr-spatial-tracking",
)  # fmt: skip
_PERMISSIONS: Final = ", ".join(
    [
        *(f"{feature}=()" for feature in _NOBODY),
        "publickey-credentials-create=(self)",
        "publickey-credentials-get=(self)",
    ]
)


class Headers(CSPMiddleware):
    """A content security policy on every answer; pages of staff are kept by no cache."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if _is_admin(request):
            response.headers["Cache-Control"] = "no-store"
        if not response.headers.get("Content-Type", "").startswith("text/html"):
            response.headers.setdefault(HEADER, _NOT_A_PAGE)
            return response
        response.headers["Permissions-Policy"] = _PERMISSIONS
        return super().process_response(request, response)

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        parts = super().get_policy_parts(request, response, report_only)
        return PolicyParts(parts.config, _ADMIN, parts.replace, parts.nonce) if _is_admin(request) else parts


def _is_admin(request: HttpRequest) -> bool:
    return request.path_info.startswith("/admin/")
