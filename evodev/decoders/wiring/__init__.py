"""Second move: whom do I touch?"""
