"""What is wrong with the files of a data set, what they are like, and whether they fit the machine."""
