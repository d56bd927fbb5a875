"""From one model to many: train the folds or seeds of a config, and predict with all of them."""
