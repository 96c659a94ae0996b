"""Photos -> vectors."""
