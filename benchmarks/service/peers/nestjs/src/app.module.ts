import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { PostsModule } from './posts/posts.module.js';
import { UsersModule } from './users/users.module.js';

@Module({
  imports: [
    TypeOrmModule.forRoot({
      type: 'postgres',
      host: process.env.PGHOST,
      port: Number(process.env.PGPORT ?? 5432),
      username: process.env.PGUSER,
      database: process.env.PGDATABASE,
      poolSize: Number(process.env.POOL_SIZE ?? 10),
      autoLoadEntities: true,
      synchronize: false,
    }),
    UsersModule,
    PostsModule,
  ],
})
export class AppModule {}
