"""The database layer: transactions that are committed before anything is answered.

Needs SQLAlchemy, uuid-utils and one of asyncpg and psycopg, and nothing else of Kingpost's extras.
"""

from kingpost.database.audit import AuditEntryMixin
from kingpost.database.audit_sql import audit_protection_drop_sql, audit_protection_sql
from kingpost.database.constraints import ConstraintFields, ConstraintMap
from kingpost.database.database import Database
from kingpost.database.decorators import read_only, transactional
from kingpost.database.direct import DirectPool
from kingpost.database.drivers import column_name, constraint_name, sqlstate
from kingpost.database.guards import SessionMisuse
from kingpost.database.insert_sql import Shown
from kingpost.database.models import (
    NAMING_CONVENTION,
    TimestampsMixin,
    UuidKeyMixin,
    VersionMixin,
    assert_lazy_raise,
)
from kingpost.database.observer import DatabaseObserver
from kingpost.database.options import DatabaseOptions, PoolStatus
from kingpost.database.probes import Probes
from kingpost.database.purging import Purge
from kingpost.database.reads import Reads
from kingpost.database.statements import KeyQuery, Query, Statement
from kingpost.database.unit_of_work import Transaction, UnitOfWork
from kingpost.database.url import UrlError, check_url

__all__ = [
    "NAMING_CONVENTION",
    "AuditEntryMixin",
    "ConstraintFields",
    "ConstraintMap",
    "Database",
    "DatabaseObserver",
    "DatabaseOptions",
    "DirectPool",
    "KeyQuery",
    "PoolStatus",
    "Probes",
    "Purge",
    "Query",
    "Reads",
    "SessionMisuse",
    "Shown",
    "Statement",
    "TimestampsMixin",
    "Transaction",
    "UnitOfWork",
    "UrlError",
    "UuidKeyMixin",
    "VersionMixin",
    "assert_lazy_raise",
    "audit_protection_drop_sql",
    "audit_protection_sql",
    "check_url",
    "column_name",
    "constraint_name",
    "read_only",
    "sqlstate",
    "transactional",
]
