"""What the scripts in several folders share."""
