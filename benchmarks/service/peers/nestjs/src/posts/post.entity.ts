import {
  BeforeInsert,
  Column,
  CreateDateColumn,
  Entity,
  JoinColumn,
  ManyToOne,
  PrimaryColumn,
  Relation,
  UpdateDateColumn,
} from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { User } from '../users/user.entity.js';

@Entity('posts')
export class Post {
  @PrimaryColumn('uuid')
  id: string;

  @Column({ length: 200 })
  title: string;

  @Column({ length: 2000 })
  content: string;

  @CreateDateColumn({ type: 'timestamptz' })
  created_at: Date;

  @UpdateDateColumn({ type: 'timestamptz' })
  updated_at: Date;

  @ManyToOne(() => User, (user) => user.posts)
  @JoinColumn({ name: 'author_id' })
  author: Relation<User>;

  @BeforeInsert()
  giveId(): void {
    this.id = uuidv7();
  }
}
