"""Makes a document vanish from everything that is kept, and proves it; what stays is a keyed mark that it was there."""
