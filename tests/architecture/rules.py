"""The rules about single lines of code; each tells what to do instead."""

import ast
import re

from tests.architecture.source import Rule, called, dotted, imported

DATABASE = ("kingpost/database/",)
TABLE_TOOLS = (*DATABASE, "kingpost/migrations/", "kingpost/testing/")


def is_statement(node: ast.AST) -> bool:
    """Calls that make SQL, and strings that are SQL."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value.lstrip().startswith(
            ("SELECT ", "INSERT INTO ", "UPDATE ", "DELETE FROM ", "WITH ")
        )
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in {"select", "insert", "update", "delete", "text"}
    )


def is_sync_in_async(node: ast.AST) -> bool:
    """Calls inside an `async def` that stop the whole process while they wait."""
    if not isinstance(node, ast.AsyncFunctionDef):
        return False
    return any(dotted(child).removesuffix("()") in BLOCKING for child in own_calls(node))


def own_calls(function: ast.AsyncFunctionDef) -> list[ast.AST]:
    """The calls of an async function, without those of functions inside it."""
    calls, waiting = [], list(function.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Call):
            calls.append(node)
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting.extend(ast.iter_child_nodes(node))
    return calls


BLOCKING = {
    "time.sleep", "sleep", "open", "input", "subprocess.run", "subprocess.check_output",
    "os.system", "requests.get", "requests.post", "httpx.get", "httpx.post", "httpx.request",
    "httpx.Client", "socket.create_connection",
}  # fmt: skip
SYNC_DRIVERS = ("psycopg2", "pg8000", "requests", "urllib.request", "pymysql", "sqlite3")


def is_sync_driver(node: ast.AST) -> bool:
    names = imported(node)
    return any(n == d or n.startswith(f"{d}.") for n in names for d in SYNC_DRIVERS) or any(
        n in {"sqlalchemy.create_engine", "sqlalchemy.orm.Session", "sqlalchemy.orm.sessionmaker"}
        for n in names
    )


def is_built_at_import(node: ast.AST) -> bool:
    """A module whose import builds something that has a life or reads the environment."""
    return isinstance(node, ast.stmt) and any(
        called(child) in BUILT or called(child).endswith("Settings")
        for child in executed_at_import(node)
    )


def executed_at_import(statement: ast.stmt) -> list[ast.AST]:
    if getattr(statement, "col_offset", 0) != 0 or isinstance(
        statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    ):
        return []
    if isinstance(statement, ast.If) and "__main__" in ast.unparse(statement.test):
        return []
    return list(ast.walk(statement))


BUILT = {
    "FastAPI", "create_async_engine", "create_engine", "async_sessionmaker", "Database",
    "create_app", "CollectorRegistry", "Metrics", "configure_logging", "getenv", "load_dotenv",
}  # fmt: skip


def is_lazy_relationship(node: ast.AST) -> bool:
    if called(node) != "relationship":
        return False
    assert isinstance(node, ast.Call)
    lazy = [word.value for word in node.keywords if word.arg == "lazy"]
    return not any(isinstance(value, ast.Constant) and value.value == "raise" for value in lazy)


def is_untyped_column(node: ast.AST) -> bool:
    """A column whose nullability is left to a default: no `Mapped[...]` beside it."""
    if isinstance(node, ast.Assign):
        return called(node.value) in {"Column", "mapped_column", "relationship"}
    return (
        isinstance(node, ast.AnnAssign)
        and node.value is not None
        and called(node.value) in {"Column", "mapped_column", "relationship"}
        and not ast.unparse(node.annotation).startswith("Mapped[")
    )


def is_noun_of_the_service(node: ast.AST) -> bool:
    """`UserRead`, `"posts"`, `"/users/{id}"`, `"posts:read"`; the users of a lock are no nouns."""
    match node:
        case ast.ClassDef(name=name) | ast.Name(id=name) | ast.alias(name=name):
            return bool(re.match(r"(User|Post|Author)s?([A-Z]|$)", name))
        case ast.Constant(value=str() as value):
            return bool(re.match(r"\S*(^|/)(users|posts)($|[/:])\S*$", value))
    return False


def is_middleware_with_a_body(node: ast.AST) -> bool:
    return (
        "BaseHTTPMiddleware" in {n.rpartition(".")[2] for n in imported(node)}
        or (isinstance(node, ast.Call) and dotted(node.func).endswith(".middleware"))
        or (isinstance(node, ast.Name) and node.id == "BaseHTTPMiddleware")
    )


RULES = [
    Rule(
        "only the unit of work ends a transaction",
        "mark the service's method @transactional",
        lambda node: called(node) in {"commit", "rollback"},
        bad=("async def f(s):\n    await s.commit()", "session.rollback()"),
        good=("tx.after_commit(hook)", "# session.commit()"),
        except_in=(*DATABASE, "kingpost/testing/"),
    ),
    Rule(
        "every statement lives in a repository",
        "move it to app/repositories and call that",
        is_statement,
        bad=("select(User)", "text('x')", "run('SELECT 1')", "s.execute(delete(Post))"),
        good=("self.posts.delete(post)", "'Select a user'", "body.update(x=1)"),
        within=("app/",),
        except_in=("app/repositories/",),
    ),
    Rule(
        "no HTTPException",
        "raise a Problem from app/errors.py: one renderer, one shape",
        lambda node: (
            any(n.endswith(".HTTPException") for n in imported(node))
            or called(node) == "HTTPException"
        ),
        bad=("from fastapi import HTTPException", "raise HTTPException(404)"),
        except_in=(
            # Routers raise it themselves, so the handler that turns it into a problem must name it.
            "kingpost/http/handlers.py",
            "kingpost/http/planned/bodies.py",  # what FastAPI raises, where its route is replaced
        ),
    ),
    Rule(
        "the environment is read in one place",
        "take the value as a parameter, from Settings",
        lambda node: (
            dotted(node) in {"os.environ", "os.getenv"}
            or any(n in {"os.environ", "os.getenv"} for n in imported(node))
        ),
        bad=("os.environ['X']", "os.getenv('X')", "from os import environ"),
        good=("settings.environment",),
        except_in=(
            "app/core/config.py",
            "kingpost/cli/main.py",
            "kingpost/testing/process.py",  # a child process inherits PATH and the like
            "kingpost/migrations/rehearsal/child.py",  # the same
        ),
    ),
    Rule(
        "the library knows no noun of the service",
        "take it as a parameter: another service has other nouns",
        is_noun_of_the_service,
        bad=(
            "class UserRead: ...",
            "name = 'posts'",
            "x = '/api/v1/users/{id}'",
            "y = 'posts:read'",
        ),
        good=("self._users = lock", "'belongs to user 0'", "client.post('/x')", "'//user:pw@host'"),
        within=("kingpost/",),
    ),
    Rule(
        "pure ASGI middleware only",
        "write a class with __call__(scope, receive, send): the others buffer and lose context",
        is_middleware_with_a_body,
        bad=(
            "from starlette.middleware.base import BaseHTTPMiddleware",
            "@app.middleware('http')\nasync def f(r, n): ...",
            "class M(BaseHTTPMiddleware): ...",
        ),
        good=(
            "app.add_middleware(Deadline, seconds=1)",
            "from starlette.middleware import Middleware",
        ),
    ),
    Rule(
        "nothing waits inside async code without awaiting",
        "use the async twin, or asyncio.to_thread",
        is_sync_in_async,
        bad=("async def f():\n    time.sleep(1)", "async def f():\n    httpx.get('x')"),
        good=("def f():\n    time.sleep(1)", "async def f():\n    await asyncio.sleep(1)"),
    ),
    Rule(
        "no synchronous driver or session",
        "use kingpost.database, which is asynchronous throughout",
        is_sync_driver,
        bad=(
            "import psycopg2",
            "from sqlalchemy import create_engine",
            "import requests",
            "from sqlalchemy.orm import Session",
        ),
        good=("import asyncpg", "from sqlalchemy.ext.asyncio import create_async_engine"),
        except_in=DATABASE,  # the events of the synchronous session inside are listened to
    ),
    Rule(
        "no query of the synchronous session",
        "await session.execute(select(...)) in a repository",
        lambda node: called(node) == "query",
        bad=("session.query(User).all()", "db.session.query(User)"),
        good=("Annotated[str, Query()]", "request.query_params"),
    ),
    Rule(
        "no session by hand",
        "take the one that @transactional or @read_only gives",
        lambda node: called(node) in {"async_sessionmaker", "AsyncSession", "sessionmaker"},
        bad=("Local = async_sessionmaker(engine)", "async with AsyncSession(engine) as s: ..."),
        good=("def f(session: AsyncSession): ...",),
        except_in=(*DATABASE, "kingpost/testing/service.py"),
    ),
    Rule(
        "no engine by hand",
        "use kingpost.database.Database: it sets the timeouts and translates errors",
        lambda node: called(node) == "create_async_engine",
        bad=("engine = create_async_engine(url)",),
        except_in=TABLE_TOOLS,
    ),
    Rule(
        "nothing is built at import",
        "build it in create_app(settings), so that a test can build another",
        is_built_at_import,
        bad=(
            "app = FastAPI()",
            "settings = Settings()",
            "x = [create_async_engine(u)]",
            "if DEBUG:\n    app = FastAPI()",
        ),
        good=("def f():\n    return FastAPI()", "if __name__ == '__main__':\n    create_app()"),
    ),
    Rule(
        "a relationship never loads by itself",
        'say lazy="raise" and load it in the repository: N+1 becomes an error',
        is_lazy_relationship,
        bad=("posts = relationship()", "posts = relationship(lazy='selectin')"),
        good=("posts = relationship(lazy='raise')",),
    ),
    Rule(
        "a column says whether it may be null",
        "annotate it: Mapped[str] or Mapped[str | None]",
        is_untyped_column,
        bad=("name = Column(String)", "name = mapped_column()", "name: str = mapped_column()"),
        good=("name: Mapped[str | None] = mapped_column()", "name: Mapped[str]"),
    ),
]
