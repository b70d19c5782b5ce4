from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase

from kingpost.database import NAMING_CONVENTION


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING_CONVENTION)
