"""Third move: what is kept?"""
