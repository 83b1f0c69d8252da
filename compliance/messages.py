"""Messages belong to the admin's pages; the API answers without them."""

from django.contrib.messages.middleware import MessageMiddleware
from django.http import HttpRequest, HttpResponseBase


class AdminMessages(MessageMiddleware):
    """Django's messages, below /admin/ only."""

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info.startswith("/admin/"):
            return super().__call__(request)
        return self.get_response(request)
