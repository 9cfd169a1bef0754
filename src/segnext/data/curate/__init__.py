"""What is done to a whole data set: begun, counted, divided."""
