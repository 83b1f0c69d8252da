"""What people leave behind when they decide; the settlements themselves belong to `settlements`."""

from compliance.models.opening import Opening
from compliance.models.review_queue import ReviewQueue

__all__ = ["Opening", "ReviewQueue"]
