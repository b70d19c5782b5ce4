import os
from collections.abc import Mapping

from kingpost.settings import ServiceSettings


class Settings(ServiceSettings):
    """What can be set from outside, as APP_… in the environment or in `.env`."""


def environment() -> Mapping[str, str]:
    return os.environ
