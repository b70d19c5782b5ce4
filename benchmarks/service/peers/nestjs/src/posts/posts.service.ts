import { Injectable, UnprocessableEntityException } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { Repository } from 'typeorm';
import { UsersService } from '../users/users.service.js';
import { CreatePostDto } from './dto/create-post.dto.js';
import { Post } from './post.entity.js';

const AUTHOR = { id: true, email: true, name: true };

@Injectable()
export class PostsService {
  constructor(
    @InjectRepository(Post)
    private readonly postsRepository: Repository<Post>,
    private readonly usersService: UsersService,
  ) {}

  findNewest(limit: number): Promise<Post[]> {
    return this.postsRepository.find({
      select: {
        id: true,
        title: true,
        content: true,
        created_at: true,
        updated_at: true,
        author: AUTHOR,
      },
      relations: { author: true },
      order: { created_at: 'DESC', id: 'DESC' },
      take: limit,
    });
  }

  async create({ title, content, author_id }: CreatePostDto): Promise<Post> {
    const author = await this.usersService.findOne(author_id);
    if (author === null) {
      throw new UnprocessableEntityException('There is no such author.');
    }
    return this.postsRepository.save(this.postsRepository.create({ title, content, author }));
  }
}
