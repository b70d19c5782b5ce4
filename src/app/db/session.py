from app.core.config import Settings
from app.db.models import AuditEntry, metadata
from kingpost.database import Database, DatabaseObserver, DatabaseOptions
from kingpost.settings import SettingsError


def connect(settings: Settings, observer: DatabaseObserver) -> Database:
    if settings.database_url is None:
        raise SettingsError(["APP_DATABASE_URL: is required; `kingpost dev` brings its own server"])
    options = DatabaseOptions(
        url=settings.database_url.get_secret_value(),
        pooler=settings.database_pooler,
        pool_size=settings.pool_size,
        acquire_timeout=settings.acquire_timeout,
        connect_timeout=settings.connect_timeout,
        statement_timeout=settings.statement_timeout,
        lock_timeout=settings.lock_timeout,
        idle_transaction_timeout=settings.idle_transaction_timeout,
        attempts=settings.transaction_attempts,
        slow_statement=settings.slow_statement,
        application_name="app",
    )
    return Database(options, metadata=metadata, audit=AuditEntry, observer=observer)
