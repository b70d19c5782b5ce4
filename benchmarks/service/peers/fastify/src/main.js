import Fastify from 'fastify';
import { openPool } from './database.js';
import { posts } from './posts.js';
import { users } from './users.js';

const { PORT = '3000', POOL_SIZE = '10' } = process.env;

const pool = await openPool(Number(POOL_SIZE));
const app = Fastify({ logger: false });
app.addHook('onClose', () => pool.end());
app.register(users, { pool, prefix: '/users' });
app.register(posts, { pool, prefix: '/posts' });

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => app.close().then(() => process.exit(0)));
}
await app.listen({ host: '127.0.0.1', port: Number(PORT) });
