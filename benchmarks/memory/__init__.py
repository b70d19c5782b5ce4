"""How much memory does a worker need, and a connection that is idle?"""
