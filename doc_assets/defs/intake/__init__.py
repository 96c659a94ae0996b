"""Files in the drop folder -> sealed drops -> documents."""
