"""What people leave behind when they decide; the settlements themselves belong to `settlements`."""

from compliance.models.assignment import Assignment
from compliance.models.digest import DigestItem, ReviewDigest
from compliance.models.evidence import Evidence
from compliance.models.opening import Opening
from compliance.models.review_queue import ReviewQueue

__all__ = ["Assignment", "DigestItem", "Evidence", "Opening", "ReviewDigest", "ReviewQueue"]
