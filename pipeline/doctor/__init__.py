"""`effnet doctor`: checks of this machine. Standard library only here and in stack.py, which the Makefile runs."""
