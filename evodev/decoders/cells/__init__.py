"""First move: who am I?"""
