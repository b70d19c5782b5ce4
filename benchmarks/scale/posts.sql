-- Posts number :from up to :to of :posts, one per second, the last one made just now.
-- Every twentieth is written by the first user, the others by all in turn.
-- Searched words: quokka in twenty posts of all, ocelot in 0.1 %, badger in 1 %, planner in 20 %.

\set ON_ERROR_STOP on
SET synchronous_commit = off;

WITH numbered AS (SELECT id, row_number() OVER (ORDER BY id) AS number FROM users),
made AS (
    SELECT i, CASE WHEN i % 20 = 0 THEN 1 ELSE 2 + i::bigint * 7919 % (:users - 1) END AS author,
           :'beginning'::timestamptz + make_interval(secs => i) - i % 991 * interval '1 microsecond' AS at
    FROM generate_series(:from, :to) AS i
)
INSERT INTO posts (id, title, content, author_id, created_at, updated_at)
SELECT uuidv7(make_interval(secs => i - :posts)),
       'Post ' || i || ': what we learned about ' || (ARRAY['indexes', 'transactions', 'locks',
           'backups', 'queries', 'migrations', 'connections'])[1 + i % 7],
       'On day ' || i % 365 || ' the pages came slowly, and nobody knew why. '
           || CASE WHEN i % 5 = 0 THEN 'Grüße – “déjà vu”, said the naïve ' ELSE 'So we looked at the plan, and the "' END
           || (ARRAY['planner', 'checkpointer', 'archiver', 'vacuum', 'cache'])[1 + i % 5]
           || CASE WHEN i % 5 = 0 THEN '' ELSE '"' END
           || CASE WHEN i % 100 = 42 THEN ' or the badger' ELSE '' END
           || CASE WHEN i % 1000 = 142 THEN ' or the ocelot' ELSE '' END
           || CASE WHEN i % (:posts / 20) = 7 THEN ' or the quokka' ELSE '' END
           || ' was to blame; one index later the answer came in '
           || i % 90 || ' ms, and it stayed so ever after.',
       author.id, at, at
FROM made JOIN numbered AS author ON author.number = made.author
ORDER BY i;
