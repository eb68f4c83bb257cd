"""Jobs: what is done with one image, as a value that can be compared, stored and sent to a worker."""
