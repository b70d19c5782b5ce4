"""Does the cost of a request grow with the data, and what happens at many connections?"""
