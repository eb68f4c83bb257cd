"""Jobs: what is done to one image, as a value that can be compared, stored and sent to a worker."""
