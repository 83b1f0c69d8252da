"""Can everybody read and use a page? axe-core's judgement, and whether the page fits its screen."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

GRAVE = {"serious", "critical"}
_AXE = Axe()
# A page wider than its screen; tables that scroll in a box of their own do not widen it.
_OVERHANG = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


_EVERYTHING = {"resultTypes": ["violations"]}
_COLOURS = {**_EVERYTHING, "runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}


def faults(page: Page, *, within: str | None = None, colours_only: bool = False) -> list[str]:
    """What axe-core finds serious or critical, a line for each place; and that the page scrolls sideways.

    `within` is the part of the page that is read, as a selector; `colours_only` is for
    the dark side of a page whose light side was read in full.
    """
    found = _AXE.run(page, within, options=_COLOURS if colours_only else _EVERYTHING).response["violations"]
    grave = [
        f"{rule['impact']}: {rule['id']} at {' '.join(map(str, node['target']))}: {_message(node)}"
        for rule in found
        if rule["impact"] in GRAVE
        for node in rule["nodes"]
    ]
    overhang = page.evaluate(_OVERHANG)
    return [*grave, f"the page is {overhang} px wider than its screen"] if overhang > 0 else grave


def _message(node: dict[str, list[dict[str, str]]]) -> str:
    return "; ".join(check["message"] for kind in ("any", "all", "none") for check in node[kind])
