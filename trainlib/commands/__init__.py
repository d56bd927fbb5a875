"""Commands beyond those that train and use a network, a file for each."""
