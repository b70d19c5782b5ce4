import { v7 as uuidv7 } from 'uuid';
import { newPost, page, post } from './schemas.js';

const NEWEST_POSTS = {
  name: 'newest-posts',
  text: `
    SELECT p.id, p.title, p.content, p.created_at, p.updated_at,
           u.id AS author_id, u.email AS author_email, u.name AS author_name
    FROM posts p JOIN users u ON u.id = p.author_id
    ORDER BY p.created_at DESC, p.id DESC
    LIMIT $1`,
};

const ADD_POST = {
  name: 'add-post',
  text: `
    WITH p AS (
      INSERT INTO posts (id, title, content, author_id) VALUES ($1, $2, $3, $4)
      RETURNING id, title, content, created_at, updated_at, author_id
    )
    SELECT p.id, p.title, p.content, p.created_at, p.updated_at,
           u.id AS author_id, u.email AS author_email, u.name AS author_name
    FROM p JOIN users u ON u.id = p.author_id`,
};

const FOREIGN_KEY_VIOLATION = '23503';

function document(row) {
  return {
    id: row.id,
    title: row.title,
    content: row.content,
    created_at: row.created_at,
    updated_at: row.updated_at,
    author: { id: row.author_id, email: row.author_email, name: row.author_name },
  };
}

export async function posts(app, { pool }) {
  const listing = { querystring: page, response: { 200: { type: 'array', items: post } } };
  app.get('/', { schema: listing }, async (request) => {
    const { rows } = await pool.query({ ...NEWEST_POSTS, values: [request.query.limit] });
    return rows.map(document);
  });

  const creation = { body: newPost, response: { 201: post } };
  app.post('/', { schema: creation }, async (request, reply) => {
    const { title, content, author_id: authorId } = request.body;
    try {
      const values = [uuidv7(), title, content, authorId];
      const { rows } = await pool.query({ ...ADD_POST, values });
      return reply.code(201).send(document(rows[0]));
    } catch (error) {
      if (error.code !== FOREIGN_KEY_VIOLATION) throw error;
      return reply.code(422).send({ message: 'There is no such author.' });
    }
  });
}
