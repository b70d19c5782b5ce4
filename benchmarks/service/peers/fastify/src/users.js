import { byId, user } from './schemas.js';

const ONE_USER = {
  name: 'one-user',
  text: 'SELECT id, email, name, is_active, created_at, updated_at FROM users WHERE id = $1',
};

export async function users(app, { pool }) {
  app.get('/:id', { schema: { params: byId, response: { 200: user } } }, async (request, reply) => {
    const { rows } = await pool.query({ ...ONE_USER, values: [request.params.id] });
    if (rows.length === 0) {
      return reply.code(404).send({ message: 'There is no such user.' });
    }
    return rows[0];
  });
}
