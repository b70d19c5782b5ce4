from app.core.config import Settings
from app.db.models import AuditEntry, metadata
from kingpost.database import Database, DatabaseObserver


def connect(settings: Settings, observer: DatabaseObserver) -> Database:
    options = settings.database_options("app")
    return Database(options, metadata=metadata, audit=AuditEntry, observer=observer)
