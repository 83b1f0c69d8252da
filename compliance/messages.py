"""Messages belong to the admin's pages; the API answers without them."""

from typing import Any

from django.contrib.messages.middleware import MessageMiddleware
from django.http import HttpRequest


class AdminMessages(MessageMiddleware):
    """Django's messages, below /admin/ only."""

    def __call__(self, request: HttpRequest) -> Any:
        return super().__call__(request) if request.path_info.startswith("/admin/") else self.get_response(request)
