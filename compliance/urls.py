"""The compliance routes; no prefix, no trailing slash."""

from django.urls import URLPattern, path

from compliance import api, api_acts
from settlements.api import paths

paths.register()

urlpatterns: list[URLPattern] = [
    path("compliance/queue", api.Queue.as_view()),
    path("compliance/approve/<id:milestone_id>", api.Approve.as_view()),
    path("compliance/reject/<id:milestone_id>", api.Reject.as_view()),
    path("compliance/hold/<id:milestone_id>", api_acts.PlaceHold.as_view()),
    path("compliance/release_hold/<id:milestone_id>", api_acts.ReleaseHold.as_view()),
    path("compliance/extend/<id:milestone_id>", api_acts.Extend.as_view()),
    path("compliance/assign/<id:milestone_id>", api_acts.Assign.as_view()),
    path("compliance/note/<id:milestone_id>", api_acts.AddNote.as_view()),
]
