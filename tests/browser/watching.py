"""What a browser complains of while a test uses it: each of these fails the test, whatever the test was about."""

from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request, Response, WebError

# Not requests of the network.
_INLINE = ("data:", "blob:", "about:")
# A page that was left, or an answer that became a download, ends what was under way.
_LEFT = "net::ERR_ABORTED"
_REFUSED = "Failed to load resource: the server responded with a status of 4"


class Watch:
    """Keeps the complaints of one browser context, whose pages belong to one origin."""

    def __init__(self, context: BrowserContext, *, origin: str) -> None:
        self.complaints: list[str] = []
        self._origin = origin
        self._refused_pages: set[str] = set()
        context.on("console", self._console)
        context.on("weberror", self._error)
        context.on("request", self._request)
        context.on("requestfailed", self._failed)
        context.on("response", self._response)

    def _console(self, message: ConsoleMessage) -> None:
        """Errors and warnings, violations of the content security policy among them."""
        if message.type not in {"error", "warning"}:
            return
        place = message.location["url"]
        # That a whole page was refused is the test's business; a refused script, style or picture is a fault.
        if message.text.startswith(_REFUSED) and place in self._refused_pages:
            return
        self.complaints.append(f"console {message.type} at {place}: {message.text}")

    def _error(self, error: WebError) -> None:
        self.complaints.append(f"uncaught {error.error}")

    def _request(self, request: Request) -> None:
        if not request.url.startswith((f"{self._origin}/", *_INLINE)):
            self.complaints.append(f"request to somebody else: {request.url}")

    def _failed(self, request: Request) -> None:
        if request.failure != _LEFT:
            self.complaints.append(f"request failed: {request.url} ({request.failure})")

    def _response(self, response: Response) -> None:
        if response.status >= 500:
            self.complaints.append(f"{response.status} from {response.url}")
        if response.status >= 400 and response.request.is_navigation_request():
            self._refused_pages.add(response.url)


def path_of(page: Page) -> str:
    """Where the page is, below its origin."""
    return urlsplit(page.url).path
