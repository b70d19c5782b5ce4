"""Reads without objects: a response schema and a model are one SELECT whose rows are JSON.

Needs Pydantic beside what `kingpost.database` needs.
"""

from kingpost.projection.document import Document
from kingpost.projection.errors import ProjectionError
from kingpost.projection.listing import Listing
from kingpost.projection.lookup import Lookup
from kingpost.projection.marks import keeps_value
from kingpost.projection.projection import Nested, Projection

__all__ = [
    "Document",
    "Listing",
    "Lookup",
    "Nested",
    "Projection",
    "ProjectionError",
    "keeps_value",
]
