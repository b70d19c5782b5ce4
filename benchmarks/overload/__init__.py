"""What do clients feel when more comes than a process can do, and after that?"""
