"""What readers see: recorded sets of table versions, what changed between two, copies made for reading."""
