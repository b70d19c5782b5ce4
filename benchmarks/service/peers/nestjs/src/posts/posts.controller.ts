import { Body, Controller, Get, Post as HttpPost, Query } from '@nestjs/common';
import { CreatePostDto } from './dto/create-post.dto.js';
import { FindPostsDto } from './dto/find-posts.dto.js';
import { Post } from './post.entity.js';
import { PostsService } from './posts.service.js';

@Controller('posts')
export class PostsController {
  constructor(private readonly postsService: PostsService) {}

  @Get()
  findNewest(@Query() { limit }: FindPostsDto): Promise<Post[]> {
    return this.postsService.findNewest(limit);
  }

  @HttpPost()
  create(@Body() createPostDto: CreatePostDto): Promise<Post> {
    return this.postsService.create(createPostDto);
  }
}
