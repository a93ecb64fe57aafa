"""What is kept, and where: memory, SQLite, append-only files."""
