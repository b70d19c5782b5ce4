import pg from 'pg';

/**
 * Opens a pool with all its connections; host, port, database and user come from PGHOST and so on.
 */
export async function openPool(size) {
  const pool = new pg.Pool({ max: size, idleTimeoutMillis: 0 });
  const clients = await Promise.all(Array.from({ length: size }, () => pool.connect()));
  clients.forEach((client) => client.release());
  return pool;
}
