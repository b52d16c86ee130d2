"""What is saved of components and accounts, and how: rows of JSON."""
