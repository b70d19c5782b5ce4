from app.core.config import Settings
from kingpost.observability import configure_logging


def configure(settings: Settings) -> None:
    configure_logging(settings.log_level, json=settings.environment == "production")
