"""How fast trainlib is: each figure a ratio of two things that are measured in turn, on the machine at hand."""
