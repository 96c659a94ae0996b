"""What the commands of ``cli`` do and print."""
