"""The review desk: where people judge what screening found."""
