"""Named keys of programs, kept with the accounts: a Django application with one table."""
