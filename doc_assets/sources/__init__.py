"""Where documents come from and whose they are: folders, object storage, key tables, the document API; staging."""
