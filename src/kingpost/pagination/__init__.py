"""Keyset pagination: pages over any unique order, in both directions, without OFFSET.

A page is found by the place of its neighbour, so that rows which come and go meanwhile neither
repeat nor hide others, and page 10 000 costs as much as page 1.
"""

from kingpost.pagination.cursors import Cursors
from kingpost.pagination.order import Key
from kingpost.pagination.pages import Page, PageRequest, fetch_page
from kingpost.pagination.prepared import PreparedList

__all__ = ["Cursors", "Key", "Page", "PageRequest", "PreparedList", "fetch_page"]
