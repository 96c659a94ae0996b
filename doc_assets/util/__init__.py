"""Helpers that know no document: files, threads, progress, fonts, log files, text from outside made harmless."""
