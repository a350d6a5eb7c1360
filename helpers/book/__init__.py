"""What only the book shows: figures, the ledger of results, claims, and small models to look at."""
