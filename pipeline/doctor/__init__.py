"""`effnet doctor`: is this machine fit? Standard library only here and in stack.py, which the Makefile runs first."""
