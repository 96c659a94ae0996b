"""Key tables: Excel, CSV and JSON files that name documents and say whose they are."""
