import { Controller, Get, NotFoundException, Param, ParseUUIDPipe } from '@nestjs/common';
import { User } from './user.entity.js';
import { UsersService } from './users.service.js';

@Controller('users')
export class UsersController {
  constructor(private readonly usersService: UsersService) {}

  @Get(':id')
  async findOne(@Param('id', ParseUUIDPipe) id: string): Promise<User> {
    const user = await this.usersService.findOne(id);
    if (user === null) {
      throw new NotFoundException('There is no such user.');
    }
    return user;
  }
}
