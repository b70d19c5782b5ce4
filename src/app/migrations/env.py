from app.core.config import environment
from app.db.models import metadata
from kingpost.migrations.environment import run

run(metadata, environ=environment())
