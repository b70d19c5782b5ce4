"""What is said when a schema and a model do not go together."""


class ProjectionError(TypeError):
    """A schema asks for what one SELECT cannot give as Pydantic would.

    Raised where the projection is made, at import that is, and not while a request is answered;
    only `Projection.etag` notices when it is used that the model has no version.
    The message names the schema and the field, says why, and what to do.
    """


class Unfit(Exception):
    """Why one field cannot be had; whoever knows the field makes a `ProjectionError` of it."""
