"""Run folders, those of ensembles and searches: their names, their files, what can be read from them."""
