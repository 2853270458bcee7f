"""What dag.py wires, part by part."""
