"""What ran: runs, their differences, reports, lineage, and the space that old artifacts use."""
