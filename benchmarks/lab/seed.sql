-- :users and :posts rows as a real service has them; the newest post was made just now.
-- Every tenth user has no name, every fifth text is not plain ASCII. The same in each run but for
-- ids and times. The posts are spread evenly over users and over one second each.

\set ON_ERROR_STOP on
SELECT now() - make_interval(secs => :posts) AS beginning \gset

INSERT INTO users (id, email, name, created_at, updated_at)
SELECT uuidv7(make_interval(secs => i - :users) - make_interval(secs => :posts)),
       'user' || i || '@example.com',
       CASE WHEN i % 10 <> 0 THEN (ARRAY['Ada Lovelace', 'Grace Hopper', 'Edsger Dijkstra',
           'Barbara Liskov', 'José Núñez', 'Frances Allen', 'Tony Hoare'])[1 + i % 7] END,
       :'beginning'::timestamptz + make_interval(secs => i - :users) + i % 997 * interval '1 microsecond',
       :'beginning'::timestamptz + make_interval(secs => i - :users) + i % 997 * interval '1 microsecond'
FROM generate_series(1, :users) AS i;

WITH numbered AS (SELECT id, row_number() OVER (ORDER BY email) AS number FROM users),
made AS (
    SELECT i, 1 + (i::bigint * 7919) % :users AS author,
           :'beginning'::timestamptz + make_interval(secs => i) - i % 991 * interval '1 microsecond' AS at
    FROM generate_series(1, :posts) AS i
)
INSERT INTO posts (id, title, content, author_id, created_at, updated_at)
SELECT uuidv7(make_interval(secs => i - :posts)),
       'Post ' || i || ': what we learned about ' || (ARRAY['indexes', 'transactions', 'locks',
           'backups', 'queries', 'migrations', 'connections'])[1 + i % 7],
       'On day ' || i % 365 || ' the pages came slowly, and nobody knew why. '
           || CASE WHEN i % 5 = 0 THEN 'Grüße – “déjà vu”, said the naïve ' ELSE 'So we looked at the plan, and the "' END
           || (ARRAY['planner', 'checkpointer', 'archiver', 'vacuum', 'cache'])[1 + i % 5]
           || CASE WHEN i % 5 = 0 THEN '' ELSE '"' END
           || ' was to blame; one index later the answer came in '
           || i % 90 || ' ms, and it stayed so ever after.',
       author.id, at, at
FROM made JOIN numbered AS author ON author.number = made.author
ORDER BY i;

VACUUM ANALYZE users;
VACUUM ANALYZE posts;
CHECKPOINT;
