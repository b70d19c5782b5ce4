"""Statements of each kind, and the safe way of each, by subject."""

INDEXES = [
    ("CREATE INDEX i ON t (a, b)", 'op.create_index_online("i", "t", ["a", "b"])'),
    (
        'CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS "I" ON s."T" (lower(a), b DESC)',
        (
            "op.create_index_online(\n"
            '    "I",\n    "T",\n'
            '    [sa.text("lower(a)"), sa.text("b DESC")],\n'
            '    unique=True,\n    schema="s",\n)'
        ),
    ),
    (
        "CREATE INDEX i ON t USING gin (a) WHERE a <> ''",
        (
            'op.create_index_online(\n    "i",\n    "t",\n    ["a"],\n'
            '    postgresql_using="gin",\n    postgresql_where=sa.text("a <> \'\'"),\n)'
        ),
    ),
    (
        "CREATE INDEX ON t USING btree (a) INCLUDE (b)",
        'op.create_index_online("t_a_idx", "t", ["a"], postgresql_include=["b"])',
    ),
    ("CREATE INDEX ON ONLY t (a)", ""),
    ("DROP INDEX s.i", 'op.drop_index_online("i", "the table of i", schema="s")'),
    (
        "REINDEX (VERBOSE) INDEX i",
        (
            "with op.get_context().autocommit_block():\n"
            '    op.execute("REINDEX (VERBOSE) INDEX CONCURRENTLY i")'
        ),
    ),
]

_NUMBERED = """\
op.execute("CREATE SEQUENCE IF NOT EXISTS t_c_seq")
op.add_column_online(
    "t",
    sa.Column(
        "c",
        sa.BigInteger(),
        nullable=False,
        server_default=sa.text("nextval('t_c_seq')"),
    ),
)
op.execute("ALTER SEQUENCE t_c_seq OWNED BY t.c")
# give the column of the model the same server_default, or they differ"""

_STORED = '''\
# or make it VIRTUAL, from PostgreSQL 18 on: that writes no row
op.add_column_online("t", sa.Column("g", sa.BigInteger()))
op.execute("""CREATE OR REPLACE FUNCTION t_g() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN NEW.g := (SELECT a + 1 FROM (SELECT NEW.*) AS new); RETURN NEW; END $$""")
op.execute("""CREATE OR REPLACE TRIGGER t_g BEFORE INSERT OR UPDATE
ON t FOR EACH ROW EXECUTE FUNCTION t_g()""")
op.backfill("t", {"g": "a + 1"})'''

COLUMNS = [
    ("ALTER TABLE t ADD COLUMN c text", ""),
    ("ALTER TABLE t ADD c bigint NOT NULL DEFAULT 0", ""),
    ("ALTER TABLE t ADD COLUMN c timestamptz NOT NULL DEFAULT now()", ""),
    (
        "ALTER TABLE t ADD COLUMN c uuid DEFAULT gen_random_uuid()",
        (
            "op.add_column_online(\n"
            '    "t",\n'
            '    sa.Column("c", sa.Uuid(), server_default=sa.text("gen_random_uuid()")),\n)'
        ),
    ),
    ("ALTER TABLE t ADD COLUMN c bigserial", _NUMBERED),
    ("ALTER TABLE t ADD COLUMN c bigint GENERATED ALWAYS AS IDENTITY", _NUMBERED),
    ("ALTER TABLE t ADD COLUMN g bigint GENERATED ALWAYS AS (a + 1) STORED", _STORED),
    ("ALTER TABLE t ADD COLUMN g bigint GENERATED ALWAYS AS (a + 1) VIRTUAL", ""),
    (
        "ALTER TABLE t ADD COLUMN c integer NOT NULL",
        (
            "# a constant default costs nothing, and the running version can go on inserting\n"
            'op.add_column(\n    "t",\n'
            '    sa.Column("c", sa.Integer(), nullable=False, server_default=sa.text("0")),\n)\n'
            "# give the column of the model the same server_default, or they differ"
        ),
    ),
    (
        "ALTER TABLE t ADD COLUMN c date NOT NULL",
        (
            'op.add_column("t", sa.Column("c", sa.Date()))\n'
            "# in the next revision, once every running version writes c:\n"
            'op.backfill("t", {"c": "…"})\n'
            'op.set_not_null_online("t", "c")'
        ),
    ),
    (
        "ALTER TABLE t ADD COLUMN c integer CHECK (c > 0)",
        (
            'op.add_column("t", sa.Column("c", sa.Integer()))\n'
            'op.add_check_online("t_c_check", "t", "c > 0")\n'
            'op.validate_constraint_online("t_c_check", "t")'
        ),
    ),
    (
        "ALTER TABLE t ADD COLUMN c bigint REFERENCES o (id) ON DELETE CASCADE",
        (
            'op.add_column("t", sa.Column("c", sa.BigInteger()))\n'
            'op.add_foreign_key_online("t_c_fkey", "t", "o", ["c"], ["id"], ondelete="CASCADE")\n'
            'op.validate_constraint_online("t_c_fkey", "t")'
        ),
    ),
    (
        "ALTER TABLE t ADD COLUMN c varchar(9) UNIQUE",
        (
            'op.add_column("t", sa.Column("c", sa.String(9)))\n'
            'op.add_unique_online("t_c_key", "t", ["c"])'
        ),
    ),
    (
        "ALTER TABLE t ADD COLUMN c positive",
        (
            "# if positive is a domain with a CHECK: take the type under it, check afterwards\n"
            'op.add_column("t", sa.Column("c", sa.Text()))\n'
            'op.add_check_online("t_c_check", "t", "its condition")\n'
            'op.validate_constraint_online("t_c_check", "t")'
        ),
    ),
    (
        "ALTER TABLE t ALTER COLUMN c SET NOT NULL",
        (
            "# first deploy the version that writes it in every row, and fill the old rows; "
            'then:\nop.set_not_null_online("t", "c")'
        ),
    ),
    (
        "ALTER TABLE ONLY s.t ALTER c SET DATA TYPE bigint USING c::bigint",
        'op.change_type_online("t", "c", sa.BigInteger(), using="c::bigint", schema="s")',
    ),
    (
        'ALTER TABLE t ALTER COLUMN c TYPE varchar(20) COLLATE "C"',
        'op.change_type_online("t", "c", sa.String(20, collation="C"))',
    ),
    ("ALTER TABLE t ALTER COLUMN c TYPE numeric(10, 2)", "sa.Numeric(10, 2)"),
    ("ALTER TABLE t ALTER COLUMN c TYPE timestamptz", "sa.DateTime(timezone=True)"),
    ("ALTER TABLE t ALTER COLUMN c TYPE timestamp(3) with time zone", "timezone=True"),
    ("ALTER TABLE t ALTER COLUMN c TYPE text[]", "postgresql.ARRAY(sa.Text())"),
    ("ALTER TABLE t ALTER COLUMN c TYPE text", 'op.finish_type_change("t", "c")'),
    (
        "ALTER TABLE t ALTER COLUMN g SET EXPRESSION AS (a + 2)",
        'op.backfill("t", {"g_2": "a + 2"})',
    ),
    ("ALTER TABLE t DROP COLUMN c", 'op.drop_column("t", "c")'),
    ("ALTER TABLE t DROP COLUMN c", 'phase = "contract"'),
    ("ALTER TABLE t RENAME COLUMN c TO d", 'd: Mapped[…] = mapped_column("c")'),
    ("ALTER TABLE t RENAME c TO d", 'd: Mapped[…] = mapped_column("c")'),
    ("ALTER TABLE t ALTER COLUMN c DROP DEFAULT", 'phase = "contract"'),
    ("ALTER TABLE t ALTER COLUMN c DROP NOT NULL", ""),
    (
        "ALTER TABLE t ALTER COLUMN a SET NOT NULL, ALTER COLUMN b SET NOT NULL",
        'op.set_not_null_online("t", "a")\nop.set_not_null_online("t", "b")',
    ),
]

CONSTRAINTS = [
    (
        (
            "ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a, b) REFERENCES s.o (x, y) "
            "ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED"
        ),
        (
            "op.add_foreign_key_online(\n"
            '    "f",\n    "t",\n    "o",\n    ["a", "b"],\n    ["x", "y"],\n'
            '    referent_schema="s",\n    ondelete="SET NULL",\n    deferrable=True,\n'
            '    initially="DEFERRED",\n)\n'
            'op.validate_constraint_online("f", "t")'
        ),
    ),
    (
        "ALTER TABLE t ADD FOREIGN KEY (o_id) REFERENCES o",
        '"t_o_id_fkey", "t", "o", ["o_id"], ["id"]',
    ),
    ("ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES o (id) NOT ENFORCED", ""),
    ("ALTER TABLE t VALIDATE CONSTRAINT f", 'op.validate_constraint_online("f", "t")'),
    (
        "ALTER TABLE t ADD CONSTRAINT k CHECK (a IN ('(', 'x'))",
        (
            'op.add_check_online("k", "t", "a IN (\'(\', \'x\')")\n'
            'op.validate_constraint_online("k", "t")'
        ),
    ),
    ("ALTER TABLE t ADD CONSTRAINT n NOT NULL c", 'op.set_not_null_online("t", "c")'),
    ("ALTER TABLE t ADD CONSTRAINT u UNIQUE (a, b)", 'op.add_unique_online("u", "t", ["a", "b"])'),
    ("ALTER TABLE t ADD UNIQUE (a)", 'op.add_unique_online("t_a_key", "t", ["a"])'),
    ("ALTER TABLE t ADD CONSTRAINT u UNIQUE USING INDEX i", ""),
    (
        "ALTER TABLE t ADD PRIMARY KEY (id)",
        'op.add_unique_online("t_pkey", "t", ["id"], primary_key=True)',
    ),
    (
        "ALTER TABLE t ADD CONSTRAINT p PRIMARY KEY USING INDEX i",
        (
            'op.set_not_null_online("t", "each column of i")\n'
            'op.execute("ALTER TABLE t ADD CONSTRAINT p PRIMARY KEY USING INDEX i")'
        ),
    ),
    ("ALTER TABLE t ADD CONSTRAINT x EXCLUDE USING gist (r WITH &&)", "# no EXCLUDE can be added"),
    ("ALTER TABLE t DROP CONSTRAINT f", 'op.drop_constraint("f", "t")'),
    (
        (
            "CREATE TABLE n (id bigint PRIMARY KEY, u bigint REFERENCES users (id), "
            "CONSTRAINT f FOREIGN KEY (u) REFERENCES o (id))"
        ),
        (
            "# create n without its foreign keys, then add each by itself:\n"
            'op.add_foreign_key_online("n_u_fkey", "n", "users", ["u"], ["id"])\n'
            'op.validate_constraint_online("n_u_fkey", "n")\n'
            'op.add_foreign_key_online("f", "n", "o", ["u"], ["id"])\n'
            'op.validate_constraint_online("f", "n")'
        ),
    ),
    ("CREATE TABLE n (id bigint PRIMARY KEY)", ""),
]

OBJECTS = [
    (
        "ALTER TABLE t RENAME TO u",
        (
            "# kingpost: allow renaming-table: a view takes the place of the table in the same "
            "moment\n"
            'op.rename_table("t", "u")\n'
            "# the running version goes on through a view, which a contract revision drops\n"
            'op.execute("CREATE VIEW t AS SELECT * FROM u")'
        ),
    ),
    ("ALTER TABLE t SET SCHEMA s", 'op.execute("CREATE VIEW t AS SELECT * FROM s.t")'),
    ("ALTER TABLE t RENAME CONSTRAINT a TO b", ""),
    ("DROP TABLE IF EXISTS a, s.b", 'op.drop_table("a")\nop.drop_table("b", schema="s")'),
    ("DROP MATERIALIZED VIEW v", 'op.execute("DROP MATERIALIZED VIEW v")'),
    ("ALTER TYPE e ADD VALUE 'x' BEFORE 'y'", "ADD VALUE IF NOT EXISTS 'x' BEFORE 'y'"),
    ("ALTER TYPE e ADD VALUE 'x'", "repeatable = True"),
    ("ALTER TYPE e RENAME VALUE 'a' TO 'b'", "ALTER TYPE e ADD VALUE IF NOT EXISTS 'b'"),
    (
        "ALTER DOMAIN d ADD CONSTRAINT k CHECK (value > 0)",
        (
            "with op.get_context().autocommit_block():\n"
            '    op.execute("ALTER DOMAIN d ADD CONSTRAINT k CHECK (value > 0) NOT VALID")\n'
            '    op.execute("ALTER DOMAIN d VALIDATE CONSTRAINT k")'
        ),
    ),
    (
        "ALTER TABLE p ATTACH PARTITION q FOR VALUES FROM (1) TO (2)",
        'op.validate_constraint_online("q_bounds", "q")',
    ),
    (
        "CREATE TABLE q PARTITION OF p FOR VALUES IN (1)",
        'op.execute("CREATE TABLE q (LIKE p INCLUDING ALL)")',
    ),
    (
        "ALTER TABLE p DETACH PARTITION q",
        'op.execute("ALTER TABLE p DETACH PARTITION q CONCURRENTLY")',
    ),
    ("ALTER TABLE p DETACH PARTITION q CONCURRENTLY", ""),
]

ROWS = [
    ("UPDATE t SET a = 1, b = lower(c)", 'op.backfill("t", {"a": "1", "b": "lower(c)"})'),
    ("UPDATE t SET a = 1 WHERE a IS NULL", 'op.backfill("t", {"a": "1"}, where="a IS NULL")'),
    ("UPDATE t SET a = o.a FROM o WHERE o.id = t.id", '{"column": "(SELECT …)"}'),
    ("DELETE FROM t WHERE a < 1", "(SELECT ctid FROM t WHERE a < 1 LIMIT 1000))"),
    ("DELETE FROM t USING o WHERE o.id = t.id", "# delete in batches"),
    ("TRUNCATE TABLE t CASCADE", "DELETE FROM t WHERE ctid = ANY"),
    ("REFRESH MATERIALIZED VIEW v", 'op.execute("REFRESH MATERIALIZED VIEW CONCURRENTLY v")'),
    ("REFRESH MATERIALIZED VIEW CONCURRENTLY v", ""),
    ("ALTER TABLE t SET UNLOGGED", "pg_repack --table t"),
    ("VACUUM (FULL) t", "pg_repack --table t"),
    ("VACUUM t", ""),
    ("CLUSTER t USING i", "pg_repack --table t"),
    ("DO $$ BEGIN EXECUTE 'DROP TABLE t; '; END $$", "# write each statement of the block"),
    ("INSERT INTO t VALUES (1)", ""),
    ("SELECT 1", ""),
]

ALL = INDEXES + COLUMNS + CONSTRAINTS + OBJECTS + ROWS
