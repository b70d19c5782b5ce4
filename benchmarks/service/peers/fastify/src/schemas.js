const uuid = { type: 'string', format: 'uuid' };
const instant = { type: 'string', format: 'date-time' };
const name = { type: ['string', 'null'] };

export const byId = {
  type: 'object',
  required: ['id'],
  properties: { id: uuid },
};

export const user = {
  type: 'object',
  properties: {
    id: uuid,
    email: { type: 'string' },
    name,
    is_active: { type: 'boolean' },
    created_at: instant,
    updated_at: instant,
  },
};

export const post = {
  type: 'object',
  properties: {
    id: uuid,
    title: { type: 'string' },
    content: { type: 'string' },
    created_at: instant,
    updated_at: instant,
    author: {
      type: 'object',
      properties: { id: uuid, email: { type: 'string' }, name },
    },
  },
};

export const page = {
  type: 'object',
  properties: { limit: { type: 'integer', minimum: 1, maximum: 100, default: 20 } },
};

export const newPost = {
  type: 'object',
  required: ['title', 'content', 'author_id'],
  properties: {
    title: { type: 'string', minLength: 1, maxLength: 200 },
    content: { type: 'string', minLength: 1, maxLength: 2000 },
    author_id: uuid,
  },
};
