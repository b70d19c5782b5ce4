"""What does a rate limit cost?"""
