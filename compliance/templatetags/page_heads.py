"""The head of each page: what it is called, and the way back to what it is part of."""

from typing import Any

from django import template
from django.contrib import admin
from django.urls import NoReverseMatch, reverse
from django.utils.text import capfirst

register = template.Library()

Step = tuple[str, str]


@register.inclusion_tag("admin/page_head.html", takes_context=True)
def page_head(context: template.Context) -> dict[str, Any]:
    """The page's title, and before it the list and the row it belongs to."""
    title = str(context.get("title") or "ChainPay")
    return {"title": title, "steps": [step for step in _steps(context) if step[0] != title]}


def _steps(context: template.Context) -> list[Step]:
    opts = context.get("opts")
    if opts is None or context.get("cl") is not None:
        return []
    registered = admin.site._registry.get(opts.model)
    name = getattr(registered, "list_title", "") or capfirst(str(opts.verbose_name_plural))
    row = context.get("original") or context.get("row")
    steps = [_step(name, opts, "changelist")]
    if row is not None and row._meta.model is opts.model:
        # `rails.admin.Titled` can not be named here: Django looks through these libraries while it loads the admin.
        row_title = getattr(registered, "row_title", lambda row: capfirst(str(row)))
        steps.append(_step(row_title(row), opts, "change", row.pk))
    return [step for step in steps if step is not None]


def _step(name: str, opts: Any, page: str, *args: Any) -> Step | None:
    try:
        return name, reverse(f"admin:{opts.app_label}_{opts.model_name}_{page}", args=args)
    except NoReverseMatch:
        return None
