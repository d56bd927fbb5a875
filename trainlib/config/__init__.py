"""The configuration: what may stand in it, how it is read, and where in the files a mistake stands."""
